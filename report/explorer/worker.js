// The worker thread of the live view: trains a model, and searches the best one.
import { bestModel, expectedLoss } from "./exact.js";
import { Trainer } from "./training.js";

/** Samples from which the loss of a trained model is estimated where it has no closed form. */
const EVALUATION = 200_000;
/** Milliseconds of training between two reports. */
const REPORT_EVERY = 40;
/** @type {Trainer | undefined} */
let trainer;
let paused = false;
let lastStep = Infinity;
let generation = 0;
/** Number of the model that trains, by which reports on it are told from late ones on another. */
let model = 0;

/**
 * Starts, pauses or continues training, or searches the best model.
 * @param {MessageEvent} event
 */
onmessage = ({ data }) => {
  if (data.search) postMessage({ best: bestModel(data.setting), search: data.search });
  if (data.spec) {
    trainer = new Trainer(data.spec, data.parameters);
    [model, lastStep] = [data.model, data.until];
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
  let [taken, total] = [0, 0];
  while (trainer.step < lastStep && performance.now() - begin < REPORT_EVERY) {
    trainer.advance();
    taken++;
    total += trainer.loss;
  }
  if (taken) report((1000 * taken) / (performance.now() - begin), total / taken);
  if (trainer.step < lastStep) setTimeout(run, 0, started);
  else if (taken && !isExact(trainer.spec)) {
    const { mean, error } = trainer.evaluate(Math.max(2, Math.ceil(EVALUATION / trainer.spec.batch)));
    report(0, mean, error);
  }
}

/**
 * Reports the state of training.
 * @param {number} rate steps per second
 * @param {number} [loss] mean loss of the batches since the last report, or of those that evaluate the trained model
 * @param {number} [error] standard error of the latter
 */
function report(rate, loss = NaN, error = NaN) {
  const { spec, step, parameters } = /** @type {Trainer} */ (trainer);
  const known = isExact(spec);
  const setting = { ...spec, density: spec.densities };
  postMessage({ model, step, parameters, rate, loss: known ? expectedLoss(parameters, setting) : loss, error, known });
}

/**
 * Returns whether the expected loss of a model is computed exactly.
 * @param {import("./training.js").Spec} spec
 */
function isExact({ model, n, signed, correlated, anticorrelated }) {
  const independent = !signed && !correlated.length && !anticorrelated.length;
  return n <= 3 && independent && (model === "linear" || model === "relu_output");
}
