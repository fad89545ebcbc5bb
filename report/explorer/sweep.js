// Any sweep: a slider for every axis, the model at that point, and what is known beside it.
import { Arrangement, Matrix, gramEntry } from "./arrangement.js";
import { Chart } from "./chart.js";
import { CATEGORIES, featureColours } from "./colours.js";
import { Slider, choice } from "./controls.js";
import { Model, unpack } from "./models.js";
import { stacks } from "./neurons.js";
import { announced, factList, fixed, format, html, nearest, panel, table } from "./page.js";

/** @type {Record<string, string>} */
const AXIS_NAMES = {
  density: "feature density 1−S",
  relative_density: "relative density",
  relative_importance: "relative importance r",
  distribution: "features",
  attack: "attacks over mean ‖x‖",
  l1: "L1 coefficient",
  seed: "seed",
};

/**
 * Shows the sweeps of a view, one at a time.
 * @param {HTMLElement} root
 * @param {any} view
 * @param {import("./page.js").Address} address
 */
export function showSweep(root, view, address) {
  const names = Object.keys(view.sweeps);
  const chosen = address.text("sweep", names[0]);
  const body = html("div");
  const draw = (/** @type {string} */ name) =>
    body.replaceChildren(...sweepParts(view.sweeps[name], view.charts[name], address));
  if (names.length > 1) {
    const options = names.map((name) => /** @type {[string, string]} */ ([name, sweepTitle(view.sweeps[name])]));
    const change = (/** @type {string} */ name) => {
      address.set({ sweep: name });
      draw(name);
    };
    root.append(html("div", { class: "controls" }, choice("models", options, chosen, change)));
  }
  root.append(body);
  draw(names.includes(chosen) ? chosen : names[0]);
}

/** @param {any} sweep */
function sweepTitle({ n, m, model }) {
  return `${n} features in ${m} dimensions${model === "relu_output" ? "" : `, ${model}`}`;
}

/**
 * Returns the sliders and the panels of one sweep.
 * @param {any} sweep
 * @param {any} chart
 * @param {import("./page.js").Address} address
 */
function sweepParts(sweep, chart, address) {
  const { n, m, axes } = sweep;
  const [W, b, loss] = [sweep.W, sweep.b, sweep.loss].map(unpack);
  const out = sweep.out && unpack(sweep.out);
  const varying = axes.filter((/** @type {any} */ [, values]) => values.length > 1);
  const index = Object.fromEntries(
    axes.map((/** @type {any} */ [name, values]) => [name, place(name, values, address)]),
  );
  const modelAt = (/** @type {number} */ point) => new Model(W.subarray(point * m * n, (point + 1) * m * n), m, n);
  const picture = new Arrangement("The columns of W as arrows; arrow keys turn a solid");
  const gram = new Matrix("The matrix WᵀW", gramEntry);
  const neurons = html("div");
  const facts = announced();
  const features = html("div");
  const again = html("p", { class: "note" });
  // One scale for all models, so that what moves is the model.
  const longest = Math.max(1.1, ...Array.from(loss, (_, point) => norms(modelAt(point))).flat());
  const beside = chart && drawChart(chart, varying);

  const show = () => {
    const point = axes.reduce(
      (/** @type {number} */ k, /** @type {any} */ [name, values]) => k * values.length + index[name],
      0,
    );
    const model = modelAt(point);
    const values = Object.fromEntries(axes.map((/** @type {any} */ [name, values]) => [name, values[index[name]]]));
    const colours = featureColours({ ...sweep, sets: sweep.sets[values.distribution] });
    if (m <= 3) picture.show(model.columns(), colours, { reach: 1.25 * longest });
    picture.element.classList.toggle("solid", m === 3);
    gram.show((i, j) => model.gram(i, j), n, n, longest ** 2);
    if (sweep.model === "relu_hidden" || sweep.model === "absolute")
      neurons.replaceChildren(
        stacks(model, out && out.subarray(point * m * n, (point + 1) * m * n), sweep.signed, () => {}),
      );
    const notes = Object.entries(sweep.notes ?? {}).map(([name, values]) => [name, String(values[point])]);
    facts.replaceChildren(
      factList({
        loss: format(loss[point], 5),
        ...Object.fromEntries(notes),
        "D* = m / ‖W‖²": format(m / sum(norms(model).map((v) => v * v))),
      }),
    );
    features.replaceChildren(featureTable(model, b.subarray(point * n, (point + 1) * n)));
    again.replaceChildren(...(sweep.live ? [liveLink(sweep, point, values)] : []));
    beside?.mark(values);
  };
  /** @type {Record<string, Slider>} */
  const sliders = {};
  const controls = varying.map((/** @type {any} */ [name, values]) => {
    const change = (/** @type {number} */ at) => {
      index[name] = at;
      address.set({ [name]: name === "distribution" ? at : values[at] });
      show();
    };
    if (name !== "distribution") {
      sliders[name] = new Slider(AXIS_NAMES[name], values, index[name], change);
      return sliders[name].element;
    }
    const options = values.map((/** @type {string} */ value, /** @type {number} */ k) => [
      String(k),
      describeSets(value),
    ]);
    return choice(AXIS_NAMES[name], options, String(index[name]), (value) => change(Number(value)));
  });
  if (beside) {
    const values = axes.find((/** @type {any} */ [name]) => name === chart.axis)[1];
    beside.chart.interactive(
      (/** @type {number} */ x) => sliders[chart.axis].move(nearest(values, x)),
      (/** @type {number} */ dx) => sliders[chart.axis].move(index[chart.axis] + dx),
    );
  }
  show();
  const note = html(
    "p",
    { class: "note" },
    ...colourNote(sweep),
    m === 3 ? " Drag to turn, or use the arrow keys." : "",
  );
  const panels = [
    ...(m <= 3 ? [panel("Arrangement", picture.element, note)] : []),
    ...(sweep.exact ? [exactPanel(sweep.exact, m, picture)] : []),
    ...(neurons.childNodes.length ? [panel("Neurons", neurons)] : []),
    panel("WᵀW", gram.element, facts),
    ...(beside ? [panel(chart.title, beside.element)] : []),
    panel("Features", features, again),
  ];
  return [
    ...(controls.length ? [html("div", { class: "controls" }, ...controls)] : []),
    html("div", { class: "panels" }, ...panels),
  ];
}

/**
 * Returns a link to the live view that trains the same model again.
 * @param {any} sweep
 * @param {number} point
 * @param {Record<string, any>} values the values of all axes at that point
 */
function liveLink({ live, signed, restart }, point, { density, distribution, seed }) {
  const sets = describeSets(distribution);
  const settings = { ...live, density, seed: live.seed + seed, restart: restart[point], signed: Number(signed) };
  for (const kind of ["correlated", "anticorrelated"])
    settings[kind] = sets.match(new RegExp(`\\b${kind}((?: \\d+(?:\\+\\d+)+)+)`))?.[1].trim() ?? "";
  const address = Object.entries(settings).map(([key, value]) => `${key}=${value}`.replaceAll(" ", "%20"));
  return html("a", { href: `#${["live", ...address].join("&")}` }, "Train this model again here");
}

/**
 * Shows an exact polytope.
 * @param {number[][]} corners
 * @param {number} m
 * @param {Arrangement} model the picture of the model, with which the polytope turns
 */
function exactPanel(corners, m, model) {
  const picture = new Arrangement("The corners of the exact polytope; arrow keys turn a solid");
  picture.show(corners, Array(corners.length).fill(CATEGORIES[2]), { reach: model.model.reach });
  picture.element.classList.toggle("solid", m === 3);
  model.joinTurning(picture);
  return panel("The paper's polytope, exact", picture.element);
}

/**
 * Returns the index of the value on an axis that the address names, or one in the middle.
 * @param {string} name
 * @param {any[]} values
 * @param {import("./page.js").Address} address
 */
function place(name, values, address) {
  if (name === "distribution") return Math.min(Math.max(Math.round(address.number(name, 0)), 0), values.length - 1);
  return nearest(values, address.number(name, values[Math.floor(values.length / 2)]));
}

const norms = (/** @type {Model} */ model) => Array.from({ length: model.n }, (_, i) => model.norm(i));
const sum = (/** @type {number[]} */ values) => values.reduce((a, b) => a + b, 0);

/**
 * Writes a distribution with features counted from 1.
 * @param {string} name
 */
function describeSets(name) {
  return name.replace(/\d+(?=\+)|(?<=\+)\d+/g, (i) => String(Number(i) + 1));
}

/** @param {any} sweep */
function colourNote({ sets, importance, varied }) {
  if (Object.values(sets).some((/** @type {any} */ s) => s.length)) return ["Colours: the sets of features."];
  if (Math.min(...importance) < Math.max(...importance)) return ["The darker, the more important."];
  return varied.length ? ["Orange: the feature that varies."] : [];
}

/**
 * Returns the table of all features of a model.
 * @param {Model} model
 * @param {ArrayLike<number>} b
 */
export function featureTable(model, b) {
  const rows = norms(model).map((norm, i) => [
    String(i + 1),
    fixed(norm),
    fixed(b[i]),
    fixed(model.dimensionality(i)),
    fixed(model.superposition(i)),
  ]);
  return table(["feature", "‖Wᵢ‖", "bᵢ", "Dᵢ", "Σ (Ŵᵢ·Wⱼ)²"], rows);
}

/**
 * Draws the chart beside a sweep; its axis runs as the slider does.
 * @param {any} given
 * @param {any[]} varying the axes with several values
 */
function drawChart({ title, axis, y, lines, log, marks = [] }, varying) {
  const xs = varying.find(([name]) => name === axis)[1];
  const values = lines.flatMap((/** @type {any} */ line) => line.y).filter((/** @type {any} */ v) => v !== null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = 0.05 * (high - low);
  const chart = new Chart(
    title,
    { from: xs[0], to: xs.at(-1), title: AXIS_NAMES[axis], log: true },
    { from: log ? low / 1.1 : low - room, to: log ? high * 1.1 : high + room, title: y, log },
  );
  for (const { at } of marks) chart.rule("x", at, { "stroke-dasharray": "3 3" });
  const colour = (/** @type {any} */ line, /** @type {number} */ k) =>
    line.colour === null ? "var(--ink)" : CATEGORIES[line.colour ?? k];
  lines.forEach((/** @type {any} */ line, /** @type {number} */ k) => {
    if (line.dots) chart.dots(line.x, line.y, colour(line, k), 4);
    else chart.line(line.x, line.y, { style: `stroke:${colour(line, k)}` });
  });
  /** @type {Element | undefined} */
  let cursor;
  const mark = (/** @type {Record<string, number>} */ point) => {
    cursor?.remove();
    cursor = chart.rule("x", point[axis], { class: "line" });
  };
  const names = lines.map((/** @type {any} */ line, /** @type {number} */ k) =>
    html(
      "li",
      {},
      html("i", { class: line.dots ? "dot" : "", style: `background:${colour(line, k)}` }),
      describeSets(line.name),
    ),
  );
  const crossings = marks.length
    ? [html("li", {}, `dashed: ${marks.map((/** @type {any} */ mark) => mark.name).join("; ")}`)]
    : [];
  return {
    chart,
    mark,
    element: html("div", {}, chart.element, html("ul", { class: "legend" }, ...names, ...crossings)),
  };
}
