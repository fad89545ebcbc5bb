// D_i by sparsity: point at a feature to see its factor, its neighbours and the graph of its model.
import * as d3 from "d3";
import { Arrangement } from "./arrangement.js";
import { Chart } from "./chart.js";
import { polytopeColour } from "./colours.js";
import { showChosen } from "./controls.js";
import { JOINING_COSINE, drawFractions } from "./learning.js";
import { Model, part, principalCoordinates, unpack } from "./models.js";
import { announced, clamp, factList, fixed, format, html, legend, nearest, note, panel, panels } from "./page.js";
import { svg, table, widePanel } from "./page.js";

/** Largest factor that is drawn as a solid. */
const MAX_CORNERS = 24;

/**
 * Shows the dimensionality of every feature of the large models, one sweep at a time.
 * @type {import("./page.js").Show}
 */
export const showDimensionality = (root, { sweeps }, address) =>
  showChosen(root, sweeps, ({ title }) => title, address, (name) => [sweepPanels(sweeps[name], address)]);

/**
 * Returns the panels of one sweep.
 * @param {any} sweep
 * @param {import("./page.js").Address} address
 */
function sweepPanels(sweep, address) {
  const { n, m, density, polytopes } = sweep;
  const [W, D] = [unpack(sweep.W), unpack(sweep.dimensionality)];
  const kind = (/** @type {number} */ k) => polytopes[sweep.polytope[k]];
  const xs = density.map((/** @type {number} */ p) => 1 / p);
  const step = Math.sqrt(xs[1] / xs[0]);
  // The features of one model are placed side by side around its value.
  const x = (/** @type {number} */ k) => xs[Math.floor(k / n)] * step ** (1.4 * ((k % n) / n - 0.5));
  const chart = new Chart(
    "D_i of every feature; arrow keys choose the model and the feature",
    { from: xs[0] / step, to: xs.at(-1) * step, title: "1 / (1−S)", log: true },
    { from: 0, to: 1.03, title: "dimensionality Dᵢ" },
    matchMedia("(max-width: 44rem)").matches ? {} : { width: 560, height: 330 },
  );
  drawFractions(chart);
  for (const name of polytopes) {
    const members = [...D.keys()].filter((k) => kind(k) === name);
    const levels = members.map((k) => D[k]);
    chart.dots(members.map(x), levels, polytopeColour(name), 1.8);
  }
  chart.line(xs, sweep.curve, { style: "stroke-width:1" });

  const facts = announced();
  const solid = new Arrangement("The factor of the feature; arrow keys turn it", address);
  solid.element.classList.add("solid");
  const solidNote = note();
  const graph = html("div");
  const point = address.nearest("density", density, 0.2);
  const here = d3.range(n).map((i) => kind(point * n + i));
  // At first, a feature that is part of a solid.
  const first = here.findIndex((name) => name === "square antiprism" || name === "tetrahedron");
  const asked = Math.round(address.number("feature", Math.max(first, 0) + 1)) - 1;
  const at = { point, feature: clamp(asked, 0, n - 1) };
  const show = () => {
    const { point, feature } = at;
    const k = point * n + feature;
    chart.moveCursor(chart.rule("x", xs[point]), chart.circle(x(k), D[k], 5));
    const model = new Model(part(W, point, m * n), m, n);
    const factor = sweep.factor[k];
    const together = d3.range(n).filter((i) => sweep.factor[point * n + i] === factor);
    facts.replaceChildren(
      ...describeFeature(model, feature, D[k], kind(k), factor < 0 ? [] : together, density[point], sweep.curve[point]),
    );
    graph.replaceChildren(drawGraph(sweep, model, point, feature, (i) => choose(point, i)));
    const drawn = factor >= 0 && together.length <= MAX_CORNERS;
    solid.element.style.display = drawn ? "" : "none";
    if (drawn) showFactor(solid, model, together, feature, polytopeColour(kind(k)));
    solidNote.textContent = drawn
      ? "In the three directions in which it extends most. The feature chosen is black, or white on a dark page. Drag to turn."
      : factor < 0
        ? "This feature is not represented."
        : `A factor of ${together.length} features, too many to draw.`;
  };
  const choose = (/** @type {number} */ point, /** @type {number} */ feature) => {
    at.point = clamp(point, 0, density.length - 1);
    at.feature = (feature + n) % n;
    address.set({ density: density[at.point], feature: at.feature + 1 });
    show();
  };
  chart.interactive(
    (px, py) => {
      const point = nearest(xs, px);
      const distance = (/** @type {number} */ i) =>
        Math.hypot(
          (chart.place.y(D[point * n + i]) - chart.place.y(py)) * 2,
          chart.place.x(x(point * n + i)) - chart.place.x(px),
        );
      choose(point, d3.scan(d3.range(n), (i, j) => distance(i) - distance(j)));
    },
    (dx, dy) => choose(at.point + dx, at.feature + dy),
  );
  // Rarer polytopes share a colour, and so an entry of the legend.
  /** @type {Map<string, string[]>} */
  const kinds = new Map();
  for (const name of polytopes) kinds.set(polytopeColour(name), [...(kinds.get(polytopeColour(name)) ?? []), name]);
  const names = [...kinds].map(([colour, alike]) => ({ colour, text: alike.join(", ") }));
  const key = legend(...names, { kind: "stroke", text: "D*" }, { text: "a click holds the feature" });
  show();
  return panels(
    widePanel("D_i by sparsity", chart.element, key),
    panel("The feature", facts),
    panel("Its factor", solid.element, solidNote),
    widePanel(
      "The graph of its model",
      graph,
      note(`Represented features by factor; those with |cos| > ${JOINING_COSINE} are joined.`),
    ),
  );
}

/**
 * Describes a feature and its neighbours.
 * @param {Model} model
 * @param {number} feature
 * @param {number} D
 * @param {string} kind
 * @param {number[]} together the features of its factor
 * @param {number} density
 * @param {number} curve D* of the model
 */
function describeFeature(model, feature, D, kind, together, density, curve) {
  const norm = model.norm(feature);
  const neighbours = d3
    .range(model.n)
    .filter((i) => i !== feature)
    .map((i) => ({ i, dot: model.gram(feature, i) }))
    .sort((a, b) => Math.abs(b.dot) - Math.abs(a.dot))
    .slice(0, 6);
  return [
    factList({
      feature: String(feature + 1),
      "feature density 1−S": format(density),
      Dᵢ: format(D),
      "‖Wᵢ‖": format(norm),
      factor: together.length ? `${kind}, ${together.length} feature${together.length > 1 ? "s" : ""}` : kind,
      "D* of the model": format(curve),
    }),
    table(
      ["neighbour", "Wᵢ·Wⱼ", "cos"],
      neighbours.map(({ i, dot }) => [String(i + 1), fixed(dot), fixed(dot / norm / model.norm(i))]),
    ),
  ];
}

/**
 * Shows the features of a factor in three dimensions.
 * @param {Arrangement} solid
 * @param {Model} model
 * @param {number[]} together
 * @param {number} feature
 * @param {string} colour
 */
function showFactor(solid, model, together, feature, colour) {
  const places = principalCoordinates(model, together);
  const colours = together.map((i) => (i === feature ? "var(--ink)" : colour));
  const planar = places.every((p) => Math.abs(p[2]) < 0.05);
  const edges = planar && together.length > 1 ? joined(model, together) : undefined;
  solid.show(places, colours, { names: together, edges });
}

/**
 * Returns the pairs of features with a large |cos|, as indices into the list.
 * @param {Model} model
 * @param {number[]} features
 */
function joined(model, features) {
  const norms = features.map((i) => model.norm(i));
  const pairs = [];
  for (let a = 0; a < features.length; a++)
    for (let b = a + 1; b < features.length; b++) {
      const dot = model.gram(features[a], features[b]);
      if (Math.abs(dot) > JOINING_COSINE * norms[a] * norms[b]) pairs.push([a, b]);
    }
  return pairs;
}

/**
 * Draws the graph of a model: the features of every factor on a circle, the factors in rows.
 * @param {any} sweep
 * @param {Model} model
 * @param {number} point
 * @param {number} feature
 * @param {(feature: number) => void} choose called when a feature is chosen
 */
function drawGraph(sweep, model, point, feature, choose) {
  const { n, polytopes } = sweep;
  /** @type {Map<number, number[]>} */
  const factors = new Map();
  for (let i = 0; i < n; i++) {
    const factor = sweep.factor[point * n + i];
    if (factor >= 0) factors.set(factor, [...(factors.get(factor) ?? []), i]);
  }
  const ordered = [...factors.values()].sort((a, b) => b.length - a.length);
  const radius = (/** @type {number[]} */ f) => (f.length < 2 ? 4 : Math.min(4 + 2.2 * f.length, 150));
  let [x, y, tall] = [0, 0, 0];
  const element = svg("svg", { role: "img", "aria-label": "The graph of the model" });
  for (const members of ordered) {
    const r = radius(members);
    if (x + 2 * r + 8 > 340) [x, y, tall] = [0, y + tall, 0];
    const place = members.map((_, k) => {
      const angle = (2 * Math.PI * k) / members.length;
      const reach = members.length < 2 ? 0 : r - 3;
      return [x + r + 4 + reach * Math.sin(angle), y + r + 4 - reach * Math.cos(angle)];
    });
    for (const [a, b] of joined(model, members))
      element.append(
        svg("line", { x1: place[a][0], y1: place[a][1], x2: place[b][0], y2: place[b][1], class: "edge" }),
      );
    members.forEach((i, k) => {
      const name = polytopes[sweep.polytope[point * n + i]];
      const more = { fill: polytopeColour(name), class: "tip stack", onclick: () => choose(i) };
      const dot = svg(
        "circle",
        { cx: place[k][0], cy: place[k][1], r: i === feature ? 5.5 : 3.2, ...more },
        svg("title", {}, `feature ${i + 1}`),
      );
      if (i === feature) dot.setAttribute("style", "fill:var(--ink)");
      element.append(dot);
    });
    [x, tall] = [x + 2 * r + 8, Math.max(tall, 2 * r + 8)];
  }
  element.setAttribute("viewBox", `0 0 348 ${y + tall + 2}`);
  return element;
}
