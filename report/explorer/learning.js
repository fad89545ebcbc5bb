// Learning: a slider over training steps, with the loss, D_i and the geometry together.
import { Arrangement } from "./arrangement.js";
import { Chart } from "./chart.js";
import { CATEGORIES, featureColours } from "./colours.js";
import { Model, unpack } from "./models.js";
import { factList, format, html, nearest, panel, slider, svg } from "./page.js";

/** Features with a larger |cos| are joined in the graph of a model. */
export const JOINING_COSINE = 0.2;
/** Dimensionalities of polytopes. */
export const FRACTIONS = { 1: "1", 0.75: "3/4", 0.6667: "2/3", 0.5: "1/2", 0.4: "2/5", 0.375: "3/8" };

/**
 * Shows one model over training.
 * @param {HTMLElement} root
 * @param {any} view
 * @param {import("./page.js").Address} address
 */
export function showLearning(root, view, address) {
  const { n, m, step, loss } = view;
  const W = unpack(view.W);
  const models = step.map(
    (/** @type {number} */ _, /** @type {number} */ k) => new Model(W.subarray(k * m * n, (k + 1) * m * n), m, n),
  );
  const levels = models.map((/** @type {Model} */ model) =>
    Array.from({ length: n }, (_, i) => model.dimensionality(i)),
  );
  const colours = featureColours({ ...view, sets: view.sets });
  let at = address.nearest("step", step, step.at(-1));

  const [low, high] = [Math.min(...loss), Math.max(...loss)];
  const x = { from: 0, to: step.at(-1), title: "step" };
  const losses = new Chart(
    "Loss over training",
    x,
    { from: 0.98 * low, to: 1.02 * high, title: "loss", log: high > 3 * low },
    { height: 180 },
  );
  const dimensions = new Chart("D_i over training", x, { from: 0, to: 1.05, title: "Dᵢ" });
  for (const fraction of Object.keys(FRACTIONS)) dimensions.rule("y", Number(fraction), { class: "unit" });
  for (const { at: moment } of view.marks) losses.rule("x", moment, { "stroke-dasharray": "3 3" });
  losses.line(step, loss);
  for (let i = 0; i < n; i++)
    dimensions.line(
      step,
      levels.map((/** @type {number[]} */ level) => level[i]),
      { style: `stroke:${colours[i]};stroke-width:${n > 20 ? 0.5 : 1.2};opacity:${n > 20 ? 0.5 : 1}` },
    );

  const solid = m <= 3;
  const picture = solid ? new Arrangement("The columns of W as arrows; arrow keys turn a solid") : undefined;
  picture?.element.classList.toggle("solid", m === 3);
  const reach = 1.2 * Math.max(1.2, ...Array.from({ length: n }, (_, i) => models.at(-1).norm(i)));
  const geometry = html("div", {}, ...(picture ? [picture.element] : []));
  const facts = html("div");
  /** @type {Element[]} */
  let cursors = [];
  const show = () => {
    cursors.forEach((cursor) => cursor.remove());
    cursors = [losses, dimensions].map((chart) => chart.rule("x", step[at], { class: "line" }));
    if (picture) picture.show(models[at].columns(), colours, { reach });
    else geometry.replaceChildren(digonGraph(models[at]));
    const represented = levels[at].filter(
      (/** @type {number} */ _, /** @type {number} */ i) => models[at].norm(i) ** 2 > 0.5,
    ).length;
    const next = view.marks.filter((/** @type {any} */ mark) => Math.abs(mark.at - step[at]) <= step.at(-1) / 60);
    facts.replaceChildren(
      factList({
        step: String(step[at]),
        loss: format(loss[at], 5),
        "features with ‖Wᵢ‖² > ½": `${represented} of ${n}`,
        ...(next.length ? { "at about this step": next.map((/** @type {any} */ mark) => mark.name).join("; ") } : {}),
      }),
    );
  };
  const control = html("div", { class: "controls" });
  const move = (/** @type {number} */ k) => {
    at = Math.min(Math.max(k, 0), step.length - 1);
    address.set({ step: step[at] });
    show();
  };
  control.append(
    slider("training step", step, at, move, (value) => String(value)),
    playButton(control, () => at, step.length),
  );
  const hold = { held: false };
  for (const chart of [losses, dimensions])
    chart.interactive(
      (value) => setSlider(control, nearest(step, value)),
      (dx) => setSlider(control, at + dx),
      hold,
    );
  const note = solid
    ? `Colours: the sets of features.${m === 3 ? " Drag to turn." : ""}`
    : `The features with ‖Wᵢ‖² > ½ on a circle; those with |cos| > ${JOINING_COSINE} are joined, orange if opposite.`;
  root.append(
    control,
    html(
      "div",
      { class: "panels" },
      panel("Geometry", geometry, html("p", { class: "note" }, note)),
      panel("Loss", losses.element, facts),
      panel("Dimensionality of every feature", dimensions.element),
    ),
  );
  show();
  return () => control.dispatchEvent(new Event("stop"));
}

/**
 * Moves the slider, and with it everything else.
 * @param {HTMLElement} control
 * @param {number} index
 */
function setSlider(control, index) {
  const input = /** @type {HTMLInputElement} */ (control.querySelector("input"));
  input.value = String(index);
  input.dispatchEvent(new Event("input"));
}

/**
 * Creates the button that plays training from the present step.
 * @param {HTMLElement} control
 * @param {() => number} present
 * @param {number} count
 */
function playButton(control, present, count) {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    button.textContent = "Play";
  };
  const play = () => {
    if (timer) return stop();
    button.textContent = "Pause";
    if (present() === count - 1) setSlider(control, 0);
    timer = setInterval(() => (present() === count - 1 ? stop() : setSlider(control, present() + 1)), 80);
  };
  const button = html("button", { type: "button", onclick: play }, "Play");
  control.addEventListener("stop", stop);
  return button;
}

/**
 * Draws the graph of a model with many dimensions, with its features on a circle.
 * @param {Model} model
 */
function digonGraph(model) {
  const shown = [...Array(model.n).keys()].filter((i) => model.norm(i) ** 2 > 0.5);
  const place = (/** @type {number} */ k) => {
    const angle = (2 * Math.PI * k) / shown.length;
    return [160 + 140 * Math.sin(angle), 160 - 140 * Math.cos(angle)];
  };
  const element = svg("svg", {
    viewBox: "0 0 320 320",
    role: "img",
    "aria-label": "The graph of the model",
    class: "arrangement",
  });
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
