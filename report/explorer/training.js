// Training of one model as in the package: the same samples (core/features.py), the same initial weights
// (training/blocks.py) and the same steps of AdamW (training/engine.py), in the order of training/fused.cpp.
import { hash, normals, pythonNumber, uniforms } from "./random.js";

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;
const { fround } = Math;

/**
 * What is trained, and how; the names are those of a sweep in config.yaml, and features are counted from 0.
 * @typedef {object} Spec
 * @property {"linear" | "relu_output" | "relu_hidden" | "absolute"} model
 * @property {number} n
 * @property {number} m
 * @property {number} density
 * @property {number[]} densities density of every feature
 * @property {number} relative_density like `density` and the next one, a coordinate that decides on the initial weights
 * @property {number} relative_importance
 * @property {number[]} importance
 * @property {number[][]} correlated
 * @property {number[][]} anticorrelated
 * @property {boolean} signed
 * @property {number} seed
 * @property {number} restart
 * @property {number} steps
 * @property {number} batch
 * @property {number} learning_rate
 */

/**
 * Returns the name of a distribution, which is the coordinate that identifies it.
 * @param {Spec} spec
 */
export function distributionName(spec) {
  const words = spec.signed ? ["signed"] : [];
  for (const kind of /** @type {const} */ (["correlated", "anticorrelated"]))
    if (spec[kind].length) words.push(kind, ...spec[kind].map((set) => set.join("+")));
  return words.join(" ") || "independent";
}

/**
 * Draws the initial parameters: Xavier-normal weights, and biases of 0. The order is W [m][n], W_out [m][n] in the
 * absolute model, b [n].
 * @param {Spec} spec
 */
export function initialParameters(spec) {
  const { n, m } = spec;
  const absolute = spec.model === "absolute";
  const coordinates = [spec.density, spec.relative_density, spec.relative_importance].map(pythonNumber);
  const point = hash(`[${coordinates.join(", ")}, "${distributionName(spec)}"]`);
  const drawn = normals((absolute ? 2 : 1) * m * n, point, spec.seed, spec.restart);
  const parameters = new Float32Array(drawn.length + n);
  const scale = Math.sqrt(2 / (n + m));
  // Output weights of the absolute model start at their absolute values.
  drawn.forEach((z, k) => (parameters[k] = k < m * n ? scale * z : Math.abs(fround(scale * z))));
  return parameters;
}

/**
 * The feature distribution as gates, see core/features.py. All arrays have one entry per feature.
 * @param {Spec} spec
 */
export function gates(spec) {
  const { n } = spec;
  const density = Float32Array.from(spec.densities);
  const gate = Array.from({ length: n }, (_, j) => j);
  const own = new Array(n).fill(false);
  const low = new Float32Array(n);
  const [high, gateDensity] = [density.slice(), density.slice()];
  for (const kind of /** @type {const} */ (["correlated", "anticorrelated"]))
    for (const members of spec[kind])
      members.forEach((j, place) => {
        gate[j] = members[0];
        if (place) gateDensity[j] = 0;
        if (kind === "correlated") own[j] = true;
        else {
          low[j] = density[j] * (place / members.length);
          high[j] = density[j] * ((place + 1) / members.length);
        }
      });
  // P(this gate or a later one active).
  const anyFrom = new Float32Array(n);
  let logNone = 0;
  for (let j = n - 1; j >= 0; j--) {
    logNone += Math.log1p(-gateDensity[j]);
    anyFrom[j] = -Math.expm1(logNone);
  }
  const inverseWidth = new Float32Array(n).map((_, j) => 1 / (high[j] - low[j]));
  const allZero = Math.exp(logNone);
  const hasSets = spec.correlated.length + spec.anticorrelated.length > 0;
  return { gate, own, low, high, gateDensity, anyFrom, inverseWidth, hasSets, allZero: allZero > 1e-30 ? allZero : 0 };
}

/** Trains one model step by step. */
export class Trainer {
  /**
   * @param {Spec} spec
   * @param {Float32Array} [parameters] where to start; by default the initial parameters
   */
  constructor(spec, parameters = initialParameters(spec)) {
    this.spec = { ...spec, importance: spec.importance.map(fround) };
    this.parameters = parameters;
    this.step = 0;
    /** The loss of the last batch, an unbiased estimate of the expected loss. */
    this.loss = NaN;
    this.gates = gates(spec);
    const { n, m, batch } = spec;
    const rows = this.gates.hasSets ? 2 * n : n;
    this.uniform = new Float32Array(4 * Math.ceil(rows / 4) * batch);
    this.x = new Float32Array(n);
    this.u = new Float32Array(n);
    this.h = new Float64Array(m);
    this.slope = new Float64Array(n);
    this.gradient = new Float64Array(parameters.length);
    this.mean = new Float32Array(parameters.length);
    this.square = new Float32Array(parameters.length);
  }

  /** Takes one step of AdamW. */
  advance() {
    const { spec, step } = this;
    this.differentiate(step);
    this.update(fround(0.5 * spec.learning_rate * (1 + Math.cos((Math.PI * step) / spec.steps))));
    this.step++;
  }

  /**
   * Estimates the expected loss from batches that training does not use; returns the mean and its standard error.
   * @param {number} batches
   */
  evaluate(batches) {
    const losses = Array.from({ length: batches }, (_, k) => {
      this.differentiate(this.spec.steps + k);
      return this.loss;
    });
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / batches;
    const variance = losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / (batches - 1);
    return { mean, error: Math.sqrt(variance / batches) };
  }

  /**
   * Computes the loss of one batch and its gradient.
   * @param {number} step number of the step that draws the batch
   */
  differentiate(step) {
    const { spec } = this;
    uniforms(this.uniform, spec.batch, step, spec.seed, spec.restart);
    this.gradient.fill(0);
    this.loss = 0;
    const weight = this.gates.anyFrom[0] / (spec.batch - 1);
    this.x.fill(0); // sample 0 is the all-zero one
    this.addSample(this.gates.allZero);
    for (let sample = 1; sample < spec.batch; sample++) {
      this.drawSample(sample);
      this.addSample(weight);
    }
  }

  /**
   * Computes the features of a sample, given that at least one gate is active.
   * @param {number} sample
   */
  drawSample(sample) {
    const { uniform, u, x } = this;
    const { gate, own, low, high, gateDensity, anyFrom, inverseWidth } = this.gates;
    const { n, batch, signed } = this.spec;
    let found = false;
    for (let j = 0; j < n; j++) {
      const drawn = uniform[j * batch + sample];
      u[j] = found ? drawn : drawn * anyFrom[j];
      found = found || u[j] < gateDensity[j];
    }
    for (let j = 0; j < n; j++) {
      const number = u[gate[j]];
      let value = own[j] ? uniform[(n + j) * batch + sample] : fround(fround(number - low[j]) * inverseWidth[j]);
      if (signed) value = 2 * value - 1;
      x[j] = number >= low[j] && number < high[j] ? value : 0;
    }
  }

  /**
   * Adds the loss of the present sample, and its gradient.
   * @param {number} weight weight of the sample in the loss
   */
  addSample(weight) {
    const { parameters: p, gradient: g, x, h, slope } = this;
    const { n, m, model, importance } = this.spec;
    const absolute = model === "absolute";
    const reluHidden = absolute || model === "relu_hidden";
    const out = absolute ? m * n : 0;
    const bias = out + m * n;
    for (let i = 0; i < m; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += p[i * n + j] * x[j];
      h[i] = reluHidden && sum < 0 ? 0 : sum;
    }
    for (let j = 0; j < n; j++) {
      let z = p[bias + j];
      for (let i = 0; i < m; i++) z += p[out + i * n + j] * h[i];
      const off = model !== "linear" && z <= 0;
      const error = (off ? 0 : z) - (absolute ? Math.abs(x[j]) : x[j]);
      this.loss += weight * importance[j] * error * error;
      slope[j] = off ? 0 : 2 * weight * importance[j] * error;
      g[bias + j] += slope[j];
    }
    for (let i = 0; i < m; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) {
        sum += p[out + i * n + j] * slope[j];
        g[out + i * n + j] += h[i] * slope[j];
      }
      if (reluHidden && h[i] <= 0) continue;
      for (let j = 0; j < n; j++) g[i * n + j] += sum * x[j];
    }
  }

  /**
   * Updates the parameters.
   * @param {number} rate the learning rate
   */
  update(rate) {
    const { gradient, mean, square, parameters, step } = this;
    const unbias1 = 1 / (1 - BETA1 ** (step + 1));
    const unbias2 = 1 / (1 - BETA2 ** (step + 1));
    for (let k = 0; k < parameters.length; k++) {
      const g = gradient[k];
      mean[k] = BETA1 * mean[k] + (1 - BETA1) * g;
      square[k] = BETA2 * square[k] + (1 - BETA2) * g * g;
      parameters[k] -= (rate * mean[k] * unbias1) / (Math.sqrt(square[k] * unbias2) + EPSILON);
    }
  }
}
