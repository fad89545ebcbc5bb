// The worker thread of the live view: trains a model, and searches the best one.
import { bestModel, expectedLoss } from "./exact.js";
import { Trainer } from "./training.js";

/** Milliseconds of training between two reports. */
const REPORT_EVERY = 40;
/** @type {Trainer | undefined} */
let trainer;
let paused = false;
let lastStep = Infinity;
let generation = 0;

/**
 * Starts, pauses or continues training, or searches the best model.
 * @param {MessageEvent} event
 */
onmessage = ({ data }) => {
  if (data.search) postMessage({ best: bestModel(data.search), search: data.search });
  if (data.spec) {
    trainer = new Trainer(data.spec, data.parameters);
    lastStep = data.until;
    report(0);
  }
  if (data.paused !== undefined) paused = data.paused;
  if (data.spec || data.paused === false) run(++generation);
};

/**
 * Takes steps for a while, reports, and goes on unless it was interrupted.
 * @param {number} started the generation of the run
 */
function run(started) {
  if (!trainer || paused || started !== generation) return;
  const begin = performance.now();
  let taken = 0;
  while (trainer.step < lastStep && performance.now() - begin < REPORT_EVERY) {
    trainer.advance();
    taken++;
  }
  report(taken ? (1000 * taken) / (performance.now() - begin) : 0);
  if (trainer.step < lastStep) setTimeout(run, 0, started);
}

/**
 * Reports the state of training.
 * @param {number} rate steps per second
 */
function report(rate) {
  const { spec, step, parameters, loss } = /** @type {Trainer} */ (trainer);
  const known = spec.n <= 3 && isExact(spec);
  const setting = { ...spec, density: Array(spec.n).fill(spec.density) };
  postMessage({ step, parameters, rate, loss: known ? expectedLoss(parameters, setting) : loss, known });
}

/**
 * Returns whether the expected loss of a model has a closed form, for n ≤ 3.
 * @param {import("./training.js").Spec} spec
 */
function isExact({ model, signed, correlated, anticorrelated }) {
  const independent = !signed && !correlated.length && !anticorrelated.length;
  return independent && (model === "linear" || model === "relu_output");
}
