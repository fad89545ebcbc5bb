// Learning: a slider over training steps, with the loss, D_i and the geometry together.
import * as d3 from "d3";
import { Arrangement } from "./arrangement.js";
import { Chart } from "./chart.js";
import { CATEGORIES, featureColours } from "./colours.js";
import { Slider } from "./controls.js";
import { Model, part, unpack } from "./models.js";
import { announced, clamp, controls, factList, format, html, nearest, note, panel, panels, svg } from "./page.js";

/** Features with a larger |cos| are joined in the graph of a model. */
export const JOINING_COSINE = 0.2;
/** Dimensionalities of polytopes. */
const FRACTIONS = { "3/4": 3 / 4, "2/3": 2 / 3, "1/2": 1 / 2, "2/5": 2 / 5, "3/8": 3 / 8 };

/**
 * Draws the dimensionalities of polytopes as lines across a chart of D_i.
 * @param {Chart} chart
 */
export function drawFractions(chart) {
  for (const [name, value] of Object.entries(FRACTIONS)) {
    chart.rule("y", value, { class: "unit" });
    // The labels of neighbours lie on either side of their lines.
    chart.mark(value, name, name === "2/3" || name === "3/8");
  }
}

/**
 * Shows models over training, one at a time.
 * @type {import("./page.js").Show}
 */
export const showLearning = (root, view, address) => {
  const last = view.names.length - 1;
  const chosen = clamp(Math.round(address.number("model", 1)) - 1, 0, last);
  const body = html("div");
  const draw = (/** @type {number} */ k) => body.replaceChildren(...modelParts(view, k, address));
  if (last) {
    const change = (/** @type {number} */ k) => {
      address.set({ model: k + 1 });
      draw(k);
    };
    root.append(controls(new Slider("model", view.names, chosen, change, String).element));
  }
  root.append(body);
  draw(chosen);
};

/**
 * Returns the slider and the panels of one model.
 * @param {any} view
 * @param {number} which
 * @param {import("./page.js").Address} address
 */
function modelParts(view, which, address) {
  const { n, m, step } = view;
  const W = part(unpack(view.W), which, step.length * m * n);
  const loss = part(unpack(view.curves), which, step.length);
  const marks = /** @type {{at: number, name: string}[]} */ (view.marks[which]);
  const models = d3.range(step.length).map((k) => new Model(part(W, k, m * n), m, n));
  const levels = models.map((model) => d3.range(n).map((i) => model.dimensionality(i)));
  const colours = featureColours({ ...view, sets: view.sets });
  let at = address.nearest("step", step, step.at(-1));

  const [low, high] = [Math.min(...loss), Math.max(...loss)];
  const x = { from: 0, to: step.at(-1), title: "step" };
  const losses = new Chart(
    `The ${view.curve} over training`,
    x,
    { from: 0.98 * low, to: 1.02 * high, title: view.curve, log: view.curve === "loss" && high > 3 * low },
    { height: 180 },
  );
  const dimensions = new Chart("D_i over training", x, { from: 0, to: 1.05, title: "Dᵢ" });
  drawFractions(dimensions);
  for (const { at: moment } of marks) losses.rule("x", moment, { "stroke-dasharray": "3 3" });
  losses.line(step, loss);
  const [width, opacity] = n > 20 ? [0.7, 0.6] : [1.2, 1];
  colours.forEach((colour, i) => {
    const level = levels.map((values) => values[i]);
    dimensions.line(step, level, { style: `stroke:${colour};stroke-width:${width};opacity:${opacity}` });
  });

  const solid = m <= 3;
  const picture = solid ? new Arrangement("The columns of W as arrows; arrow keys turn a solid", address) : undefined;
  picture?.element.classList.toggle("solid", m === 3);
  const longest = Math.max(...models.map((model) => Math.max(...model.norms())));
  const geometry = html("div", {}, ...(picture ? [picture.element] : []));
  const facts = announced();
  const show = () => {
    for (const chart of [losses, dimensions]) chart.moveCursor(chart.rule("x", step[at], { class: "line" }));
    if (picture) picture.show(models[at].columns(), colours, { longest });
    else geometry.replaceChildren(digonGraph(models[at]));
    const represented = d3.range(n).filter((i) => models[at].norm(i) ** 2 > 0.5).length;
    const next = marks.filter((mark) => Math.abs(mark.at - step[at]) <= step.at(-1) / 60);
    facts.replaceChildren(
      factList({
        step: String(step[at]),
        [view.curve]: format(loss[at], 5),
        "features with ‖Wᵢ‖² > ½": `${represented} of ${n}`,
        ...(next.length ? { "at about this step": next.map(({ name }) => name).join("; ") } : {}),
      }),
    );
  };
  const change = (/** @type {number} */ k) => {
    at = k;
    address.set({ step: step[at] });
    show();
  };
  const slider = new Slider("training step", step, at, change, String);
  const hold = { held: false };
  for (const chart of [losses, dimensions])
    chart.interactive(
      (value) => slider.move(nearest(step, value)),
      (dx) => slider.move(at + dx),
      hold,
    );
  const words = solid
    ? `${view.sets.length ? "Colours: the sets of features." : ""}${m === 3 ? " Drag to turn." : ""}`
    : `The features with ‖Wᵢ‖² > ½ on a circle; those with |cos| > ${JOINING_COSINE} are joined, orange if opposite.`;
  // Steps of interest are listed if there are few of them.
  const listed = marks.length < 4 ? marks.map(({ name, at }) => `${name} at ${at}`).join("; ") : "";
  show();
  const title = view.curve[0].toUpperCase() + view.curve.slice(1);
  return [
    controls(slider.element),
    panels(
      panel("Geometry", geometry, note(words)),
      panel(title, losses.element, facts, note(listed && `Dashed: ${listed}.`)),
      panel("Dimensionality of every feature", dimensions.element),
    ),
  ];
}

/**
 * Draws the graph of a model with many dimensions, with its features on a circle.
 * @param {Model} model
 */
function digonGraph(model) {
  const shown = d3.range(model.n).filter((i) => model.norm(i) ** 2 > 0.5);
  const place = (/** @type {number} */ k) => d3.pointRadial((2 * Math.PI * k) / shown.length, 140);
  const spoken = { role: "img", "aria-label": "The graph of the model" };
  const element = svg("svg", { viewBox: "-160 -160 320 320", ...spoken, class: "arrangement" });
  shown.forEach((i, k) =>
    shown.slice(k + 1).forEach((j, l) => {
      const cosine = model.gram(i, j) / model.norm(i) / model.norm(j);
      if (Math.abs(cosine) < JOINING_COSINE) return;
      const [[x1, y1], [x2, y2]] = [place(k), place(k + 1 + l)];
      element.append(
        svg("line", { x1, y1, x2, y2, stroke: CATEGORIES[Number(cosine < 0)], "stroke-width": 2.5 * Math.abs(cosine) }),
      );
    }),
  );
  shown.forEach((i, k) => {
    const [cx, cy] = place(k);
    const title = svg("title", {}, `feature ${i + 1}: D = ${format(model.dimensionality(i), 3)}`);
    element.append(svg("circle", { cx, cy, r: 4, fill: CATEGORIES[0], class: "tip" }, title));
  });
  return element;
}
