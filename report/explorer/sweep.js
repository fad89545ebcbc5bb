// Any sweep: a slider for every axis, the model at that point, and what is known beside it.
import * as d3 from "d3";
import { Arrangement, Matrix, gramEntry } from "./arrangement.js";
import { Chart } from "./chart.js";
import { CATEGORIES, darkPage, featureColours } from "./colours.js";
import { Slider, choice, showChosen } from "./controls.js";
import { drawMap } from "./map.js";
import { Model, part, unpack } from "./models.js";
import { stacks } from "./neurons.js";
import { announced, clamp, controls, factList, fixed, format, html, legend, nearest, note, panel } from "./page.js";
import { panels, table } from "./page.js";

/** @type {Record<string, string>} */
export const AXIS_NAMES = {
  density: "feature density 1−S",
  relative_density: "relative density",
  relative_importance: "relative importance r",
  distribution: "features",
  attack: "attacks over mean ‖x‖",
  l1: "L1 coefficient",
  noise: "noise",
  seed: "seed",
  activation: "activation function",
  bias: "bias",
  w0: "W₁",
  w1: "W₂",
  output: "output",
  cosine: "cosine of the angle",
  elements: "elements of the dictionary",
  width: "width ε of the segments",
};

/**
 * Shows the sweeps of a view, one at a time.
 * @type {import("./page.js").Show}
 */
export const showSweep = (root, { sweeps, charts }, address) =>
  showChosen(root, sweeps, sweepTitle, address, (name) => sweepParts(sweeps[name], charts[name], address));

/** @param {any} sweep */
function sweepTitle({ n, m, model, values }) {
  const kind = values === "uniform" ? "features" : `${values.replace("_", "-")} features`;
  return `${n} ${kind} in ${m} dimensions${model === "relu_output" ? "" : `, ${model}`}`;
}

/**
 * Returns the sliders and the panels of one sweep.
 * @param {any} sweep
 * @param {any} chart
 * @param {import("./page.js").Address} address
 */
function sweepParts(sweep, chart, address) {
  const { n, m } = sweep;
  const axes = /** @type {[string, any[]][]} */ (sweep.axes);
  const [W, loss] = [sweep.W, sweep.loss].map(unpack);
  const [b, out] = [sweep.b, sweep.out].map((packed) => packed && unpack(packed));
  const varying = axes.filter(([, values]) => values.length > 1);
  const index = Object.fromEntries(axes.map(([name, values]) => [name, place(name, values, address)]));
  const modelAt = (/** @type {number} */ point) => new Model(part(W, point, m * n), m, n);
  const picture = new Arrangement("The columns of W as arrows; arrow keys turn a solid", address);
  const gram = new Matrix("The matrix WᵀW", gramEntry, address);
  const neurons = html("div");
  const facts = announced();
  const features = html("div");
  const again = note();
  // One scale for all models, so that what moves is the model.
  const longest = Math.max(1, ...Array.from(loss, (_, point) => modelAt(point).norms()).flat());
  const move = (/** @type {string} */ axis, /** @type {number} */ to) => sliders[axis].move(to);
  const beside = chart && (chart.lines ? drawChart : drawMap)(chart, sweep, AXIS_NAMES, index, move, address);

  const show = () => {
    const point = axes.reduce((k, [name, values]) => k * values.length + index[name], 0);
    const model = modelAt(point);
    const values = Object.fromEntries(axes.map(([name, values]) => [name, values[index[name]]]));
    const colours = featureColours({ ...sweep, sets: sweep.sets[values.distribution] ?? [] });
    if (m <= 3) picture.show(model.columns(), colours, { longest });
    picture.element.classList.toggle("solid", m === 3);
    gram.show((i, j) => model.gram(i, j), n, n, longest ** 2);
    if (sweep.model === "relu_hidden" || sweep.model === "absolute")
      neurons.replaceChildren(stacks(model, part(out, point, m * n), sweep.signed, () => {}));
    const notes = Object.entries(sweep.notes).map(([name, { [point]: value }]) => [
      name,
      typeof value === "number" ? format(value) : value,
    ]);
    facts.replaceChildren(
      factList({
        loss: format(loss[point], 5),
        ...Object.fromEntries(notes),
        "D* = m / ‖W‖²": format(m / d3.sum(model.norms(), (v) => v * v)),
      }),
    );
    features.replaceChildren(featureTable(model, part(b, point, n)));
    again.replaceChildren(...(sweep.live ? [liveLink(sweep, point, values)] : []));
    beside?.mark();
  };
  /** @type {Record<string, Slider>} */
  const sliders = {};
  const inputs = varying.map(([name, values]) => {
    const change = (/** @type {number} */ at) => {
      index[name] = at;
      address.set({ [name]: typeof values[at] === "string" ? at : values[at] });
      show();
    };
    if (typeof values[0] !== "string") {
      sliders[name] = new Slider(AXIS_NAMES[name], values, index[name], change);
      return sliders[name].element;
    }
    const options = values.map((value, k) => /** @type {[string, string]} */ ([String(k), nameSets(value)]));
    return choice(AXIS_NAMES[name], options, String(index[name]), (value) => change(Number(value)));
  });
  show();
  const words = note(...colourNote(sweep), m === 3 ? " Drag to turn, or use the arrow keys." : "");
  const shown = [
    ...(m <= 3 ? [panel("Arrangement", picture.element, words, facts)] : []),
    ...(sweep.exact ? [exactPanel(sweep.exact, m, picture)] : []),
    ...(neurons.childNodes.length ? [panel("Neurons", neurons)] : []),
    ...(beside ? [panel(chart.title, beside.element), ...beside.more] : []),
    panel("WᵀW", gram.element, ...(m <= 3 ? [] : [facts])),
    panel("Features", features, again),
  ];
  return [...(inputs.length ? [controls(...inputs)] : []), panels(...shown)];
}

/**
 * Returns a link to the live view that trains the same model again.
 * @param {any} sweep
 * @param {number} point
 * @param {Record<string, any>} values the values of all axes at that point
 */
function liveLink({ live, signed, restart }, point, { distribution, ...values }) {
  const sets = describeSets(distribution);
  const { densities, importances, ...fixed } = live;
  const settings = { ...fixed, restart: restart[point], signed: Number(signed) };
  for (const key of ["density", "relative_density", "relative_importance"]) settings[key] = values[key];
  settings.seed += values.seed;
  settings.densities = densities[point].map((/** @type {number} */ p) => Number((p / values.density).toPrecision(12)));
  settings.importances = importances[point];
  const plain = { densities: 1, importances: live.decay };
  for (const [key, decay] of Object.entries(plain))
    if (settings[key].every((/** @type {number} */ v, /** @type {number} */ i) => v === decay ** i))
      delete settings[key];
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
  picture.show(corners, Array(corners.length).fill(CATEGORIES[2]), { longest: model.model.longest });
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
export function place(name, values, address) {
  if (typeof values[0] === "string") return clamp(Math.round(address.number(name, 0)), 0, values.length - 1);
  return nearest(values, address.number(name, values[Math.floor(values.length / 2)]));
}

/**
 * Writes a distribution with features counted from 1.
 * @param {string} name
 */
function describeSets(name) {
  return name.replace(/\d+(?=\+)|(?<=\+)\d+/g, (i) => String(Number(i) + 1));
}

/**
 * Writes a distribution with features counted from 1 and shortens sets of many consecutive ones.
 * @param {string} name
 */
function nameSets(name) {
  return describeSets(name).replace(/(\d+)(\+\d+){3,}/g, (set, first) => {
    const members = set.split("+").map(Number);
    return members.every((i, k) => i === Number(first) + k) ? `${first}–${members.at(-1)}` : set;
  });
}

/** @param {any} sweep */
function colourNote({ sets, importance, varied }) {
  if (Object.values(sets).some((/** @type {any} */ s) => s.length)) return ["Colours: the sets of features."];
  if (Math.min(...importance) < Math.max(...importance))
    return [`The ${darkPage() ? "brighter" : "darker"}, the more important.`];
  return varied.length ? [`Orange: the feature${varied.length > 1 ? "s that vary" : " that varies"}.`] : [];
}

/**
 * Returns the table of all features of a model.
 * @param {Model} model
 * @param {ArrayLike<number>} [b]
 */
export function featureTable(model, b) {
  const rows = model.norms().map((norm, i) => [
    String(i + 1),
    fixed(norm),
    b ? fixed(b[i]) : "–",
    fixed(model.dimensionality(i)),
    fixed(model.superposition(i)),
  ]);
  return table(["feature", "‖Wᵢ‖", "bᵢ", "Dᵢ", "Σ (Ŵᵢ·Wⱼ)²"], rows);
}

/**
 * Draws a chart of lines; its axis runs as the slider does.
 * @param {{title: string, axis: string, y: string, lines: any[], log?: boolean, marks?: any[]}} given
 * @param {{axes: [string, any[]][]}} sweep
 * @param {Record<string, string>} names the names of the axes
 * @param {Record<string, number>} index the present place on every axis
 * @param {(axis: string, index: number) => void} move called when a place is pointed at
 */
export function drawChart({ title, axis, y, lines, log, marks = [] }, { axes }, names, index, move) {
  const xs = axes.filter(([name]) => name === axis)[0][1];
  const values = lines.flatMap((line) => line.y).filter((v) => v !== null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = 0.05 * (high - low);
  const chart = new Chart(
    title,
    { from: xs[0], to: xs.at(-1), title: names[axis], log: Math.min(...xs) > 0 },
    { from: log ? low / 1.1 : low - room, to: log ? high * 1.1 : high + room, title: y, log },
  );
  for (const { at } of marks) chart.rule("x", at, { "stroke-dasharray": "3 3" });
  const colour = (/** @type {any} */ line, /** @type {number} */ k) =>
    line.colour === null ? "var(--ink)" : CATEGORIES[line.colour ?? k];
  lines.forEach((line, k) => {
    if (line.dots) chart.dots(line.x, line.y, colour(line, k), 4);
    else chart.line(line.x, line.y, { style: `stroke:${colour(line, k)}` });
  });
  const mark = () => chart.moveCursor(chart.rule("x", xs[index[axis]], { class: "line" }));
  chart.interactive(
    (x) => move(axis, nearest(xs, x)),
    (dx) => move(axis, index[axis] + dx),
  );
  const entries = lines.map((line, k) => ({
    colour: colour(line, k),
    kind: line.dots ? "dot" : undefined,
    text: nameSets(line.name),
  }));
  const dashed = marks.length ? [{ text: `dashed: ${marks.map(({ name }) => name).join("; ")}` }] : [];
  return { mark, element: html("div", {}, chart.element, legend(...entries, ...dashed)), more: [] };
}
