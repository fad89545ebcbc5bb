// Neurons: their weights as stacks, and the features and the code of the one chosen.
import * as d3 from "d3";
import { Matrix } from "./arrangement.js";
import { plasma } from "./colours.js";
import { Slider } from "./controls.js";
import { Model, part, unpack } from "./models.js";
import { announced, clamp, controls, factList, format, html, note, panel, panels, svg, table } from "./page.js";

/** A feature belongs to a neuron if it drives it with at least this share of its strongest drive (analysis/neurons.py). */
const MEMBER = 0.25;
/** A neuron represents a feature if the feature drives it with at least this share of its strongest drive of any neuron. */
const REPRESENTING = 0.5;
/** A neuron of the absolute model computes a feature if it contributes at least this share of the ideal output. */
const COMPUTING = 0.5;
/** Largest number of neurons for which codes are drawn. */
const MAX_CODE = 12;

/**
 * Shows the neurons of a figure.
 * @type {import("./page.js").Show}
 */
export const showNeurons = (root, view, address) => {
  const [points, m, n] = view.W.shape;
  const [W, out] = [unpack(view.W), view.out && unpack(view.out)];
  const at = {
    point: address.nearest("density", view.density, view.density[Math.floor(points / 2)]),
    neuron: clamp(address.number("neuron", 1) - 1, 0, m - 1),
  };
  const picture = html("div");
  const facts = announced();
  const matrix = new Matrix("The weights of all neurons", (k, i) => `weight of neuron ${k} for feature ${i}`, address);

  const show = () => {
    const model = new Model(part(W, at.point, m * n), m, n);
    const output = part(out, at.point, m * n);
    const choose = (/** @type {number} */ neuron) => {
      at.neuron = neuron;
      address.set({ neuron: neuron + 1 });
      show();
      // The stacks are drawn anew, so that the keyboard's focus would be lost.
      picture.querySelectorAll(".stack")[neuron].focus();
    };
    picture.replaceChildren(stacks(model, output, view.signed, choose, at.neuron));
    facts.replaceChildren(...describeNeuron(model, output, view.signed, at.neuron));
    matrix.show((i, j) => model.W[i * n + j], m, n);
  };
  const change = (/** @type {number} */ point) => {
    at.point = point;
    address.set({ density: view.density[point] });
    show();
  };
  if (points > 1) root.append(controls(new Slider("feature density 1−S", view.density, at.point, change).element));
  root.append(
    panels(
      panel("Weights of every neuron, stacked", picture),
      panel("The neuron chosen", facts),
      panel("W, a row per neuron", matrix.element),
    ),
  );
  show();
};

/**
 * Draws every neuron as a stack of its |weights|, the largest at the bottom.
 * @param {Model} model
 * @param {Float32Array | null} out output weights, drawn below in the absolute model
 * @param {boolean} signed whether features may be negative
 * @param {(neuron: number) => void} choose called when a neuron is chosen
 * @param {number} [chosen]
 */
export function stacks(model, out, signed, choose, chosen) {
  const { W, m, n } = model;
  const [width, height, middle] = [360, 240, out ? 140 : 220];
  const sums = (/** @type {ArrayLike<number>} */ values) =>
    d3.range(m).map((k) => d3.sum(d3.range(n), (i) => Math.abs(values[k * n + i])));
  const unit = (middle - 14) / Math.max(...sums(W));
  const step = (width - 10) / m;
  const element = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Neurons" });
  for (let k = 0; k < m; k++) {
    const members = featuresOf(model, signed, k);
    const group = svg("g", {
      class: "stack",
      tabindex: 0,
      role: "button",
      "aria-pressed": String(k === chosen),
      "aria-label": `neuron ${k + 1}: features ${members.map((i) => i + 1).join(", ")}`,
      onclick: () => choose(k),
      onkeydown: (/** @type {KeyboardEvent} */ event) => ["Enter", " "].includes(event.key) && choose(k),
    });
    const x = 5 + k * step;
    const box = { x, y: 2, width: step, height: height - 16 };
    const fill = members.length > 1 ? "#fbe6cf" : "#dceaf6";
    group.append(svg("rect", { ...box, fill, class: k === chosen ? "chosen" : undefined }));
    group.append(...pile(W, k, n, x, step, middle, -unit));
    if (out) group.append(...pile(out, k, n, x, step, middle + 4, (height - middle - 20) / Math.max(...sums(out))));
    if (m <= 12 || (k + 1) % 5 === 0)
      group.append(svg("text", { x: x + step / 2, y: height - 3, "text-anchor": "middle" }, String(k + 1)));
    element.append(group);
  }
  const words =
    "Blue background: one feature; orange: several." +
    (out ? " Above: input weights; below: output weights, on a scale of their own." : "");
  return html("div", {}, element, note(words));
}

/**
 * Returns the pieces of one stack.
 * @param {ArrayLike<number>} weights
 * @param {number} neuron
 * @param {number} n
 * @param {number} x
 * @param {number} step
 * @param {number} start
 * @param {number} unit height of a weight of 1; negative upwards
 */
function pile(weights, neuron, n, x, step, start, unit) {
  let y = start;
  const order = d3.range(n).sort((i, j) => Math.abs(weights[neuron * n + j]) - Math.abs(weights[neuron * n + i]));
  const pieces = [];
  for (const i of order) {
    const height = Math.abs(weights[neuron * n + i] * unit);
    if (height < 0.3) break;
    const top = unit < 0 ? y - height : y;
    const box = { x: x + 0.1 * step, y: top, width: 0.8 * step, height };
    const fill = plasma(0.95 * (i / Math.max(n - 1, 1)));
    pieces.push(svg("rect", { ...box, fill, stroke: "#fff", "stroke-width": 0.4 }));
    const middle = { x: x + step / 2, y: top + height / 2 + 4, "text-anchor": "middle" };
    const style = `fill:${i / n < 0.6 ? "#fff" : "#111"}`;
    if (height > 11 && step > 15) pieces.push(svg("text", { ...middle, style }, String(i + 1)));
    y += Math.sign(unit) * height;
  }
  return pieces;
}

/**
 * Returns how strongly a feature alone can activate a neuron.
 * @param {Model} model
 * @param {boolean} signed
 * @param {number} neuron
 * @param {number} i
 */
function drive({ W, n }, signed, neuron, i) {
  const weight = W[neuron * n + i];
  return signed ? Math.abs(weight) : Math.max(weight, 0);
}

/**
 * Returns the features of a neuron, the strongest first.
 * @param {Model} model
 * @param {boolean} signed
 * @param {number} neuron
 */
function featuresOf(model, signed, neuron) {
  const size = (/** @type {number} */ i) => drive(model, signed, neuron, i);
  const order = d3.range(model.n).sort((i, j) => size(j) - size(i));
  return order.filter((i) => size(i) > 0 && size(i) >= MEMBER * size(order[0]));
}

/**
 * Returns the neurons that represent a feature or, in the absolute model, compute it.
 * @param {Model} model
 * @param {Float32Array | null} out
 * @param {number} i
 */
function neuronsOf(model, out, i) {
  const { W, m, n } = model;
  const neurons = d3.range(m);
  if (out) return neurons.filter((k) => Math.abs(W[k * n + i]) * out[k * n + i] >= COMPUTING);
  const drives = neurons.map((k) => drive(model, false, k, i));
  const response = d3.sum(drives, (value) => value * value);
  return neurons.filter((k) => response > 0.5 && drives[k] >= REPRESENTING * Math.max(...drives));
}

/**
 * Describes a neuron: its features and their codes.
 * @param {Model} model
 * @param {Float32Array | null} out
 * @param {boolean} signed
 * @param {number} neuron
 */
function describeNeuron(model, out, signed, neuron) {
  const { W, m, n } = model;
  const members = featuresOf(model, signed, neuron);
  const code = (/** @type {number[]} */ neurons) =>
    m > MAX_CODE
      ? neurons.map((k) => k + 1).join(", ")
      : d3.range(m).map((k) => (neurons.includes(k) ? "●" : "○")).join("");
  const rows = members.map((i) => [
    String(i + 1),
    format(W[neuron * n + i], 3),
    ...(out ? [format(out[neuron * n + i], 3)] : []),
    code(neuronsOf(model, out, i)),
  ]);
  return [
    factList({ neuron: String(neuron + 1), kind: members.length > 1 ? "several features" : "one feature" }),
    table(["feature", "weight", ...(out ? ["output weight"] : []), "code"], rows),
    note(
      signed ? "" : "The features that activate the neuron: those with a positive weight. ",
      `Code: the neurons that ${out ? "compute" : "represent"} the feature.`,
    ),
  ];
}
