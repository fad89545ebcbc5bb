// The live view: a model trains in a worker thread, with the package's random numbers and the same steps.
import * as d3 from "d3";
import { Arrangement, Matrix, gramEntry } from "./arrangement.js";
import { Chart } from "./chart.js";
import { CATEGORIES, featureColours } from "./colours.js";
import { Slider, choice, field } from "./controls.js";
import { Model } from "./models.js";
import { clamp, controls, factList, format, html, nearest, note, panel, panels, table, withError } from "./page.js";
import { featureTable } from "./sweep.js";

const MODELS = /** @type {[string, string][]} */ ([
  ["relu_output", "ReLU(WᵀWx + b)"],
  ["linear", "WᵀWx + b"],
  ["relu_hidden", "ReLU(WᵀReLU(Wx) + b)"],
  ["absolute", "|x| ≈ ReLU(W₂ReLU(W₁x) + b)"],
]);
const VALUES = /** @type {[string, string][]} */ ([
  ["0", "in [0, 1]"],
  ["1", "in [−1, 1]"],
]);
// The package offers to train again what is within these limits.
const MAX_FEATURES = 20;
const MAX_DIMENSIONS = 3;
/**
 * The settings and their values at first. Sets are written as 1+2 3+4, with features counted from 1. Lists have a number
 * per feature: importances, by default powers of the decay, and densities over `density`, by default 1. The relative
 * ones are coordinates of a sweep, on which its random numbers depend.
 */
/** @type {Record<string, any>} */
const DEFAULTS = {
  model: "relu_output",
  n: 5,
  m: 2,
  density: 0.05,
  densities: "",
  relative_density: 1,
  decay: 1,
  importances: "",
  relative_importance: 1,
  correlated: "",
  anticorrelated: "",
  signed: 0,
  seed: 0,
  restart: 0,
  steps: 3000,
  batch: 1024,
  rate: 0.01,
  until: 0,
};

/**
 * What trains: the settings, the lowest loss, pairs of step and loss so far, and the last report of the worker.
 * @typedef {object} State
 * @property {import("./training.js").Spec} spec
 * @property {boolean} paused
 * @property {number} best
 * @property {number[][]} history
 * @property {any} [last]
 */

/**
 * Shows the live view.
 * @type {import("./page.js").Show}
 */
export const showLive = (root, _, address, data) => {
  const source = /** @type {HTMLElement} */ (document.getElementById("worker")).textContent ?? "";
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const [trainer, searcher] = [new Worker(url), new Worker(url)];
  /** @type {State} */
  const state = { spec: readSpec(address), paused: stillWanted(), best: NaN, history: [] };
  const shown = createPanels(root, address);
  let models = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let searchSoon;
  const message = html("p", { class: "error", role: "alert" });
  const status = html("p", { class: "spoken", role: "status" });

  const start = (/** @type {Float32Array | undefined} */ parameters) => {
    const spec = readSpec(address);
    message.textContent = problem(spec) ?? "";
    if (message.textContent) return;
    models++;
    // Until the new model has a report, the panels show the one before.
    delete root.dataset.step;
    Object.assign(state, { spec, best: knownOptimum(spec, data.products), history: [], last: undefined });
    clearTimeout(searchSoon);
    const setting = { ...spec, density: spec.densities };
    // A search takes a second or so; none begins while a slider moves.
    if (spec.n <= 3 && isIndependent(spec) && spec.model === "relu_output")
      searchSoon = setTimeout(() => searcher.postMessage({ search: models, setting }), 300);
    const until = address.number("until", 0) || spec.steps;
    trainer.postMessage({ model: models, spec, parameters, until, paused: state.paused });
  };
  searcher.onmessage = ({ data: { best, search } }) => {
    if (search !== models) return;
    state.best = best.loss;
    draw(state.last);
  };
  trainer.onmessage = ({ data: report }) => report.model === models && draw(report);
  const draw = (/** @type {any} */ report) => {
    if (!report) return;
    state.last = report;
    if (report.rate) state.history.push([report.step, report.loss]);
    shown.update(state, report);
    // The numbers change too often to be read out.
    if (report.step === state.spec.steps)
      status.textContent = `Trained ${report.step} steps: loss ${format(report.loss)}`;
  };
  root.prepend(createControls(address, state, start, trainer), message, status);
  start(undefined);
  return () => {
    clearTimeout(searchSoon);
    trainer.terminate();
    searcher.terminate();
    URL.revokeObjectURL(url);
  };
};

/** Returns whether the reader asked for as little motion as possible; then training waits for the button. */
const stillWanted = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Creates the settings and buttons.
 * @param {import("./page.js").Address} address
 * @param {State} state
 * @param {(parameters?: Float32Array) => void} start
 * @param {Worker} trainer
 */
function createControls(address, state, start, trainer) {
  const keep = html("input", { type: "checkbox" });
  const each = html("details", { open: Boolean(address.text("densities", "") || address.text("importances", "")) });
  const set = (/** @type {string} */ key) => (/** @type {string} */ value) => {
    address.set({ [key]: value });
    if (key === "n") address.set({ densities: "", importances: "" });
    if (key === "decay") address.set({ importances: "" });
    if (key === "n" || key === "decay") each.replaceChildren(...featureFields(address, set));
    const fits = !["n", "m", "model"].includes(key);
    start(keep.checked && fits ? state.last?.parameters : undefined);
  };
  each.append(...featureFields(address, set));
  const number = (/** @type {string} */ key, /** @type {string} */ label, /** @type {any} */ attributes) =>
    field(label, address.text(key, String(DEFAULTS[key])), set(key), { type: "number", ...attributes });
  const action = () => (state.paused ? "Train" : "Pause");
  const pause = html("button", { type: "button", onclick: () => hold(!state.paused) }, action());
  const hold = (/** @type {boolean} */ paused) => {
    state.paused = paused;
    pause.textContent = action();
    trainer.postMessage({ paused });
  };
  const restart = () => {
    hold(false);
    start();
  };
  return controls(
    choice("model", MODELS, address.text("model", DEFAULTS.model), set("model")),
    number("n", "features n", { min: 1, max: MAX_FEATURES }),
    number("m", "dimensions m", { min: 1, max: MAX_DIMENSIONS }),
    densitySlider(address, set("density")),
    number("decay", "importance Iᵢ = dⁱ, d", { min: 0.1, max: 1, step: 0.05 }),
    field("correlated sets", address.text("correlated", ""), set("correlated"), { placeholder: "1+2 3+4" }),
    field("anticorrelated sets", address.text("anticorrelated", ""), set("anticorrelated"), { placeholder: "1+2 3+4" }),
    choice("values", VALUES, address.text("signed", "0"), set("signed")),
    number("seed", "seed", { min: 0, max: 99999 }),
    number("restart", "initialisation", { min: 0, max: 99999 }),
    number("steps", "steps", { min: 1, max: 100000 }),
    number("batch", "batch", { min: 2, max: 8192 }),
    number("rate", "learning rate", { min: 0.0001, max: 1, step: "any" }),
    html("button", { type: "button", onclick: restart }, "Start anew"),
    pause,
    html("label", { class: "row" }, keep, "go on from the present weights when a setting changes"),
    each,
  );
}

/**
 * Creates a table with the density and the importance of every feature, which opens.
 * @param {import("./page.js").Address} address
 * @param {(key: string) => (value: string) => void} set returns what changes a setting
 */
function featureFields(address, set) {
  const { density, densities, importance } = readSpec(address);
  const shares = densities.map((p) => Number((p / density).toPrecision(12)));
  const cell = (
    /** @type {string} */ key,
    /** @type {string} */ label,
    /** @type {number[]} */ values,
    /** @type {number} */ i,
  ) => {
    const change = () => {
      values[i] = Number(input.value);
      set(key)(values.join(","));
    };
    const value = Number(values[i].toPrecision(6));
    const more = { type: "number", min: 0, step: "any", "aria-label": `${label} ${i + 1}`, onchange: change };
    const input = html("input", { ...more, value });
    return input;
  };
  const rows = shares.map((_, i) => [
    String(i + 1),
    cell("densities", "relative density of feature", shares, i),
    cell("importances", "importance of feature", importance, i),
  ]);
  return [
    html("summary", {}, "density and importance of every feature"),
    table(["feature", "density over 1−S", "importance"], rows),
  ];
}

/**
 * Creates the slider over density, with three significant digits.
 * @param {import("./page.js").Address} address
 * @param {(value: string) => void} change
 */
function densitySlider(address, change) {
  const values = d3.range(61).map((k) => Number((10 ** (-k / 20)).toPrecision(3)));
  const present = address.number("density", DEFAULTS.density);
  const index = nearest(values, present);
  // The address may name a value in between.
  values[index] = present;
  return new Slider("feature density 1−S", values, index, (k) => change(String(values[k]))).element;
}

/**
 * Reads what is to be trained from the address.
 * @param {import("./page.js").Address} address
 * @returns {import("./training.js").Spec}
 */
function readSpec(address) {
  const number = (/** @type {string} */ key) => address.number(key, DEFAULTS[key]);
  const whole = (/** @type {string} */ key) => Math.round(number(key));
  const n = whole("n");
  const density = clamp(number("density"), 1e-6, 1);
  const list = (/** @type {string} */ key, /** @type {(i: number) => number} */ usual) => {
    const given = address.text(key, "").split(",").map(Number);
    const fits = given.length === n && given.every((v) => Number.isFinite(v)) && address.text(key, "");
    return fits ? given : Array.from({ length: clamp(n, 0, MAX_FEATURES) }, (_, i) => usual(i));
  };
  const sets = (/** @type {string} */ key) =>
    (address.text(key, "").match(/\d+(?:[+]\d+)+/g) ?? []).map((set) => set.split("+").map((i) => Number(i) - 1));
  return {
    model: /** @type {any} */ (address.text("model", DEFAULTS.model)),
    n,
    m: whole("m"),
    density,
    densities: list("densities", () => 1).map((share) => density * share),
    relative_density: number("relative_density"),
    importance: list("importances", (i) => number("decay") ** i),
    relative_importance: number("relative_importance"),
    correlated: sets("correlated"),
    anticorrelated: sets("anticorrelated"),
    signed: address.text("signed", "0") === "1",
    seed: whole("seed"),
    restart: whole("restart"),
    steps: Math.max(whole("steps"), 1),
    batch: Math.max(whole("batch"), 2),
    learning_rate: number("rate"),
  };
}

/**
 * Returns what is wrong with the settings, if anything.
 * @param {import("./training.js").Spec} spec
 */
function problem({ model, n, m, densities, importance, correlated, anticorrelated }) {
  if (n < 1 || n > MAX_FEATURES) return `Features: 1 to ${MAX_FEATURES}.`;
  if (m < 1 || m > MAX_DIMENSIONS) return `Dimensions: 1 to ${MAX_DIMENSIONS}.`;
  const members = [...correlated, ...anticorrelated].flat();
  if (members.some((i) => i < 0 || i >= n)) return `Sets: there are only features 1 to ${n}.`;
  if (new Set(members).size < members.length) return "Sets: a feature may be in one set only.";
  if (densities.some((p) => p <= 0 || p > 1)) return "Densities: more than 0, at most 1.";
  if (importance.some((v) => v < 0) || !importance.some(Boolean)) return "Importances: 0 or more, and not all 0.";
  if ([...correlated, ...anticorrelated].some((set) => set.some((i) => densities[i] !== densities[set[0]])))
    return "Sets: the features of a set have the same density.";
  if (m > n && model !== "absolute") return "Dimensions: at most as many as features.";
  return MODELS.some(([name]) => name === model) ? undefined : "There is no such model.";
}

/** @param {import("./training.js").Spec} spec */
function isIndependent({ signed, correlated, anticorrelated }) {
  return !signed && !correlated.length && !anticorrelated.length;
}

/**
 * Returns the lowest loss where it needs no search: that of the best linear model, or the best product of polytopes of
 * the run, interpolated between densities; NaN elsewhere.
 * @param {import("./training.js").Spec} spec
 * @param {any} products
 */
function knownOptimum(spec, products) {
  const { model, n, m, density, densities, importance } = spec;
  if (!isIndependent(spec)) return NaN;
  const cost = densities.map((p, i) => importance[i] * (p / 3 - p ** 2 / 4)).sort((a, b) => a - b);
  if (model === "linear") return d3.sum(cost.slice(0, Math.max(n - m, 0)));
  if (model !== "relu_output" || !products || importance.some((value) => value !== 1)) return NaN;
  if (densities.some((p) => p !== density)) return NaN;
  const rows = [...products.n.keys()].filter((k) => products.n[k] === n && products.m[k] === m);
  const above = rows.filter((k) => products.density[k] >= density).at(-1);
  const below = rows.find((k) => products.density[k] <= density);
  if (above === undefined || below === undefined) return NaN;
  if (above === below) return products.best_loss[above];
  const share = d3.scaleLog().domain([products.density[below], products.density[above]])(density);
  return products.best_loss[below] ** (1 - share) * products.best_loss[above] ** share;
}

/**
 * Creates the panels; `update` shows a report of the worker in them.
 * @param {HTMLElement} root
 * @param {import("./page.js").Address} address
 */
function createPanels(root, address) {
  const picture = new Arrangement("The columns of W as arrows; arrow keys turn a solid", address);
  const gram = new Matrix("The matrix WᵀW", gramEntry, address);
  const curve = html("div");
  const facts = html("div");
  const features = html("div");
  root.append(
    panels(
      panel("Arrangement", picture.element),
      panel("WᵀW", gram.element),
      panel("Loss", curve, facts),
      panel("Features", features),
    ),
  );
  const update = (/** @type {State} */ state, /** @type {any} */ { step, parameters, rate, loss, error, known }) => {
    const { spec, best, history } = state;
    const { n, m } = spec;
    const model = new Model(parameters.subarray(0, m * n), m, n);
    const sets = [...spec.correlated, ...spec.anticorrelated];
    picture.element.classList.toggle("solid", m === 3);
    const colours = featureColours({ n, importance: spec.importance, sets, varied: [] });
    picture.show(model.columns(), colours);
    gram.show((i, j) => model.gram(i, j), n, n);
    curve.replaceChildren(drawCurve(spec.steps, history, best));
    const searched = n <= 3 || spec.model === "linear";
    facts.replaceChildren(
      factList({
        step: `${step} of ${spec.steps}`,
        speed: rate ? `${Math.round(rate)} steps per second` : "–",
        [known ? "expected loss, exact" : "loss, mean of batches"]:
          Number.isNaN(error) ? format(loss, 6) : withError(loss, error),
        [searched ? "lowest loss, exact" : "lowest known loss, best product of polytopes"]: Number.isNaN(best)
          ? "not known"
          : format(best, 6),
      }),
    );
    features.replaceChildren(featureTable(model, parameters.subarray(parameters.length - n)));
    root.dataset.step = String(step);
    root.dataset.parameters = Array.from(parameters).join(" ");
  };
  return { update };
}

/**
 * Draws the loss over the steps, with the lowest loss.
 * @param {number} steps
 * @param {number[][]} history pairs of step and loss
 * @param {number} best
 */
function drawCurve(steps, history, best) {
  const positive = history.filter(([, loss]) => loss > 0);
  const values = [...positive.map(([, loss]) => loss), ...(best > 0 ? [best] : [])];
  if (!values.length) return note("Training starts.");
  const [low, high] = [Math.min(...values) / 1.15, Math.max(...values) * 1.15];
  const chart = new Chart(
    "Loss over training",
    { from: 0, to: steps, title: "step" },
    { from: low, to: high, title: "loss", log: true },
    { height: 200 },
  );
  if (best > 0) chart.rule("y", best, { style: `stroke:${CATEGORIES[1]};stroke-width:2` });
  chart.line(
    positive.map(([step]) => step),
    positive.map(([, loss]) => loss),
  );
  return chart.element;
}
