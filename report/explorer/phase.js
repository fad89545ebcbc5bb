// Phase diagrams: point anywhere to see the trained models, the optimum and the fixed configuration there.
import * as d3 from "d3";
import { Arrangement } from "./arrangement.js";
import { Chart, cellAxis } from "./chart.js";
import { CATEGORIES, PHASES, mix, viridis } from "./colours.js";
import { PHASE_LEGEND, PHASE_NAMES } from "./map.js";
import { part, unpack } from "./models.js";
import { announced, clamp, factList, fixed, format, html, legend, nearest, note, panel, panels } from "./page.js";
import { subscript, table, widePanel } from "./page.js";

const MAPS = {
  prototypes: "The paper's fixed configurations",
  optimum: "True optimum over W and b",
  trained: "Trained, best of all restarts",
  average: "Trained, average without the worst",
};

/** What the legend says besides the colours. */
const KEY = [
  "lines: boundaries of the fixed configurations",
  "points: exact boundaries of the optimum",
  "a click holds the point",
];

/**
 * Shows phase diagrams.
 * @type {import("./page.js").Show}
 */
export const showPhase = (root, view, address) => {
  const { density, ratio, n, m } = view;
  const [share, lossOf] = ["shares", "loss"].map((key) =>
    Object.fromEntries(Object.keys(MAPS).map((name) => [name, unpack(view.panels[name][key])])),
  );
  const [trained, optimum, fixedOnes] = [view.trained, view.optimum, view.fixed].map((packed) => {
    const [W, b] = [unpack(packed.W), unpack(packed.b)];
    return (/** @type {number} */ k) => ({ W: part(W, k, m * n), b: part(b, k, n) });
  });
  const loss = unpack(view.trained.loss);
  const restarts = view.trained.loss.shape[1];
  const at = { row: address.nearest("density", density, 0.1), column: address.nearest("r", ratio, 0.5) };

  const maps = Object.entries({ ...MAPS, reached: "Restarts within 1 % of the optimum's loss" }).map(([name, title]) => {
    const colour = (/** @type {number} */ k) =>
      name in MAPS ? mix(PHASES, part(share[name], k, 3)) : viridis(view.reached[k]);
    return drawPhaseMap(view, title, colour, name);
  });
  const facts = announced();
  const pictures = ["fixed configuration", "optimum", "best trained"].map((name) => ({
    name,
    picture: new Arrangement(`The columns of W as arrows: ${name}`, undefined, 170),
  }));
  const models = html("div");
  root.append(
    html("div", { class: "maps" }, ...maps.map(({ element }) => element)),
    legend(...PHASE_LEGEND, ...KEY.map((text) => ({ text }))),
    panels(panel("At this point", facts), widePanel("Arrangement", arrangementPanel(pictures, m))),
    panel("Models", models),
  );

  const point = (/** @type {number} */ column, /** @type {number} */ row) => {
    at.column = clamp(column, 0, ratio.length - 1);
    at.row = clamp(row, 0, density.length - 1);
    address.set({ r: ratio[at.column], density: density[at.row] });
    for (const map of maps) map.mark(at.column, at.row);
    describe();
  };
  const describe = () => {
    const k = at.row * ratio.length + at.column;
    const [p, r] = [density[at.row], ratio[at.column]];
    const order = d3.range(restarts).sort((a, b) => loss[k * restarts + a] - loss[k * restarts + b]);
    facts.replaceChildren(
      factList({
        "relative importance r": format(r),
        "feature density 1−S": format(p),
        "extra feature, fixed configuration": phaseText(share.prototypes, k),
        "extra feature, optimum": phaseText(share.optimum, k),
        "extra feature, best trained": phaseText(share.trained, k),
        "restarts within 1 % of the optimum": `${format(100 * view.reached[k], 3)} %`,
        ...boundaries(view, r),
      }),
    );
    const row = (/** @type {string} */ name, /** @type {number} */ loss, /** @type {{W: any, b: any}} */ model) => [
      name,
      format(loss, 5),
      ...matrixCells(model, m, n),
    ];
    models.replaceChildren(
      table(
        ["model", "loss", ...d3.range(n).map((i) => `W${subscript(i + 1)}`), "b"],
        [
          row("fixed", lossOf.prototypes[k], fixedOnes(k)),
          row("optimum", lossOf.optimum[k], optimum(k)),
          ...order.map((restart, place) =>
            row(`trained, ${place + 1}.`, loss[k * restarts + restart], trained(k * restarts + restart)),
          ),
        ],
      ),
    );
    const columns = (/** @type {{W: ArrayLike<number>}} */ { W }) =>
      d3.range(n).map((i) => d3.range(m).map((j) => W[j * n + i]));
    const palette = d3.range(n).map((i) => CATEGORIES[Number(i === n - 1)]);
    [fixedOnes(k), optimum(k), trained(k * restarts + order[0])].forEach((model, which) =>
      pictures[which].picture.show(upright(columns(model)), palette),
    );
  };
  const hold = { held: false };
  for (const { chart } of maps)
    chart.interactive(
      (x, y) => point(nearest(ratio, x), nearest(density, y)),
      (dx, dy) => point(at.column + dx, at.row - dy),
      hold,
    );
  point(at.column, at.row);
};

/**
 * Turns a model so that its longest column points to the right and the next one outside that line upwards.
 * @param {number[][]} columns the columns of W, [n][m] with m ≤ 2
 */
function upright(columns) {
  const length = columns.map((column) => Math.hypot(...column));
  const first = columns[length.indexOf(Math.max(...length))];
  if (first.length === 1) return columns.map(([x]) => [x * Math.sign(first[0])]);
  const [cos, sin] = first.map((v) => v / Math.hypot(...first));
  const turned = columns.map(([x, y]) => [cos * x + sin * y, cos * y - sin * x]);
  const side = Math.sign(turned.find(([, y]) => Math.abs(y) > 0.1)?.[1] ?? 1);
  return turned.map(([x, y]) => [x, side * y]);
}

/**
 * Puts the pictures of the models side by side.
 * @param {{name: string, picture: Arrangement}[]} pictures
 * @param {number} m
 */
function arrangementPanel(pictures, m) {
  const figures = pictures.map(({ name, picture }) =>
    html("figure", {}, picture.element, html("figcaption", {}, name)),
  );
  const axis = m === 1 ? "on the line h" : "in the plane of h";
  const words = `The columns of W ${axis}, turned so that the longest points to the right. Orange: the extra feature.`;
  return html("div", {}, html("div", { class: "row" }, ...figures), note(words));
}

/**
 * Draws one phase diagram.
 * @param {any} view
 * @param {string} title
 * @param {(point: number) => string} colour
 * @param {string} name
 */
function drawPhaseMap({ density, ratio, n, boundary }, title, colour, name) {
  const chart = new Chart(
    `${title}; arrow keys move the point`,
    { ...cellAxis(ratio, "relative importance r"), ticks: [0.1, 1, 10] },
    { ...cellAxis([...density].reverse(), "feature density 1−S"), ticks: [0.01, 0.1, 1] },
    { width: 300, height: 250 },
  );
  chart.cells(ratio.length, density.length, (column, row) => colour(row * ratio.length + column));
  const stroke = { style: "stroke:#222", "stroke-dasharray": name === "prototypes" ? undefined : "4 3" };
  for (const [xs, ys] of fixedBoundaries(n)) chart.line(xs, ys, stroke);
  if (boundary && name === "optimum") {
    const { relative_importance: r, p_optimum: p } = exactBoundary(boundary);
    chart.dots(r, p, "#222", 6);
  }
  const mark = (/** @type {number} */ column, /** @type {number} */ row) => {
    const [x, y] = [ratio[column], density[row]];
    chart.moveCursor(chart.rule("x", x), chart.rule("y", y), chart.circle(x, y));
  };
  return { chart, mark, element: html("section", { class: "panel" }, html("h3", {}, title), chart.element) };
}

/**
 * Returns the boundaries between the phases of the fixed configurations, as x and y.
 * @param {number} n
 */
function fixedBoundaries(n) {
  const grid = (/** @type {number} */ from, /** @type {number} */ to) =>
    d3.range(60).map((k) => from * (to / from) ** (k / 59));
  const [low, high] = [grid(0.08, 1), grid(1, 12.5)];
  const equal = [1, 1];
  const absent = [low, low.map((r) => (4 * r) / (2 + 5 * r))];
  if (n > 2) return [absent, [equal, [0.005, 2]]];
  return [absent, [high, high.map((r) => 4 / (5 + 2 * r))], [equal, [4 / 7, 2]]];
}

/**
 * Returns the boundary of the optimum at all relative importances: exchanging the two features turns r into 1/r, and
 * an extra feature that is absent into one with the dimension to itself.
 * @param {any} boundary
 */
function exactBoundary({ relative_importance: r, p_optimum: p }) {
  return { relative_importance: [...r, ...r.map((/** @type {number} */ v) => 1 / v)], p_optimum: [...p, ...p] };
}

/**
 * Returns where the boundaries are at a relative importance.
 * @param {any} view
 * @param {number} r
 * @returns {Record<string, string>}
 */
function boundaries({ n, boundary }, r) {
  const edge = r <= 1 ? (4 * r) / (2 + 5 * r) : n === 2 ? 4 / (5 + 2 * r) : NaN;
  const phases = r <= 1 ? "absent | superposition" : "superposition | dedicated";
  const facts = Number.isNaN(edge) ? {} : { [`${phases}, fixed configurations`]: `1−S = ${format(edge)} at this r` };
  if (!boundary) return facts;
  const { relative_importance: known, p_optimum: p } = exactBoundary(boundary);
  const k = nearest(known, r);
  return { ...facts, [`${phases}, exact`]: `1−S = ${format(p[k])} at r = ${format(known[k], 3)}` };
}

/**
 * Describes the phase of the extra feature.
 * @param {Float32Array} shares
 * @param {number} point
 */
function phaseText(shares, point) {
  const [absent, shared, dedicated] = part(shares, point, 3);
  const phase = absent > 0.5 ? 0 : shared < 0.25 * (shared + dedicated) ? 2 : 1;
  return PHASE_NAMES[phase];
}

/**
 * Writes the columns of W and the biases of a model.
 * @param {{W: ArrayLike<number>, b: ArrayLike<number>}} model
 * @param {number} m
 * @param {number} n
 */
function matrixCells({ W, b }, m, n) {
  const vector = (/** @type {number[]} */ values) => {
    const text = values.map(fixed).join(", ");
    return values.length > 1 ? `(${text})` : text;
  };
  const columns = d3.range(n).map((i) => vector(d3.range(m).map((k) => W[k * n + i])));
  return [...columns, vector(Array.from(b))];
}
