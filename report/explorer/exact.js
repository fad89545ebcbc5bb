// Exact expected losses of models with up to three independent features (theory/exact.py), and the search for the best
// of these models (theory/optimum.py). Parameters are W [m][n], then b [n].
import { normals } from "./random.js";

/** Nodes and weights of the Gauss–Legendre rules of order 2 and 3 on [0, 1]. */
const GAUSS = {
  2: [
    [0.5 - Math.sqrt(1 / 12), 1 / 2],
    [0.5 + Math.sqrt(1 / 12), 1 / 2],
  ],
  3: [
    [0.5 - Math.sqrt(0.15), 5 / 18],
    [0.5, 4 / 9],
    [0.5 + Math.sqrt(0.15), 5 / 18],
  ],
};

/**
 * Integrates the squared error of one output over the values of the active features: ∫ (t - f(weights·v + bias))² dv
 * over the unit cube, where f is ReLU or the identity, and the target t is the last of v if the output's own feature is
 * active, else 0. Between the kinks of f the integrand is a polynomial, for which the rules are exact.
 * @param {number[]} weights one per active feature, that of the output's own feature last
 * @param {number} bias
 * @param {boolean} ownActive
 * @param {boolean} relu
 */
function squaredError(weights, bias, ownActive, relu) {
  const closed = weights.length > Number(ownActive);
  const integrate = (/** @type {number} */ axis, /** @type {number} */ argument, /** @type {number} */ target) => {
    if (axis < Number(closed)) {
      if (!closed) return (target - (relu ? Math.max(0, argument) : argument)) ** 2;
      const [mean, meanSquare] = segmentMeans(argument, argument + weights[0], relu);
      return target ** 2 - 2 * target * mean + meanSquare;
    }
    const slope = weights[axis];
    const ends = [0, 1];
    if (relu && slope)
      for (const corner of cornerSums(weights.slice(0, axis))) {
        const kink = -(argument + corner) / slope;
        if (kink > 0 && kink < 1) ends.push(kink);
      }
    ends.sort((a, b) => a - b);
    let sum = 0;
    for (let k = 1; k < ends.length; k++)
      for (const [node, weight] of GAUSS[axis === 2 ? 3 : 2]) {
        const v = ends[k - 1] + node * (ends[k] - ends[k - 1]);
        const own = ownActive && axis === weights.length - 1 ? v : target;
        sum += weight * (ends[k] - ends[k - 1]) * integrate(axis - 1, argument + slope * v, own);
      }
    return sum;
  };
  return integrate(weights.length - 1, bias, 0);
}

/**
 * Returns the sums of all subsets of the weights.
 * @param {number[]} weights
 */
function cornerSums(weights) {
  return weights.reduce((sums, w) => [...sums, ...sums.map((s) => s + w)], [0]);
}

/**
 * Returns the means of f and f² over the segment from u to w, where f is ReLU or the identity.
 * @param {number} u
 * @param {number} w
 * @param {boolean} relu
 */
function segmentMeans(u, w, relu) {
  if (!relu) return [(u + w) / 2, (u * u + u * w + w * w) / 3];
  const [up, wp] = [Math.max(0, u), Math.max(0, w)];
  const part = u <= 0 !== w <= 0 ? (up + wp) / Math.abs(u - w) : 1;
  return [((up + wp) * part) / 2, (((up + wp) ** 2 - up * wp) * part) / 3];
}

/**
 * Returns the expected loss of a linear or ReLU-output model with n ≤ 3 independent features.
 * @param {ArrayLike<number>} parameters
 * @param {{model: string, n: number, m: number, density: number[], importance: number[]}} setting
 */
export function expectedLoss(parameters, { model, n, m, density, importance }) {
  const gram = (/** @type {number} */ i, /** @type {number} */ j) => {
    let sum = 0;
    for (let k = 0; k < m; k++) sum += parameters[k * n + i] * parameters[k * n + j];
    return sum;
  };
  let loss = 0;
  for (let pattern = 0; pattern < 2 ** n; pattern++) {
    const active = [...Array(n).keys()].filter((j) => (pattern >> j) & 1);
    const probability = density.reduce((p, d, j) => p * ((pattern >> j) & 1 ? d : 1 - d), 1);
    if (!probability) continue;
    for (let j = 0; j < n; j++) {
      const inputs = active.filter((i) => i !== j);
      const own = inputs.length < active.length;
      if (own) inputs.push(j);
      const weights = inputs.map((i) => gram(i, j));
      loss += probability * importance[j] * squaredError(weights, parameters[m * n + j], own, model !== "linear");
    }
  }
  return loss;
}

/**
 * Searches the model with the lowest expected loss, from every choice of represented features and several directions.
 * @param {{model: string, n: number, m: number, density: number[], importance: number[]}} setting
 */
export function bestModel(setting) {
  const { n, m, density, importance } = setting;
  const unit = density.reduce((sum, d, j) => sum + d * importance[j], 0);
  const objective = (/** @type {number[]} */ x) => expectedLoss(x, setting) / unit;
  let best = { parameters: /** @type {number[]} */ ([]), loss: Infinity };
  for (let kept = 1; kept < 2 ** n; kept++)
    for (let direction = 0; direction < 5; direction++) {
      const W = normals(m * n, [kept, direction], 0, 0);
      const bias = density.map((d, j) => ((kept >> j) & 1 ? 0 : d / 2));
      const norms = bias.map((_, j) => Math.hypot(...W.filter((_, k) => k % n === j)));
      const start = W.map((w, k) => ((kept >> (k % n)) & 1 ? w / norms[k % n] : 0.05 * w));
      const found = minimise(objective, [...start, ...bias]);
      if (found.value < best.loss) best = { parameters: found.x, loss: found.value };
    }
  return { ...best, loss: best.loss * unit };
}

/**
 * Minimises a function by BFGS, with gradients by central differences and a halving line search.
 * @param {(x: number[]) => number} f
 * @param {number[]} x
 */
function minimise(f, x) {
  const differentiate = (/** @type {number[]} */ at) =>
    at.map((_, k) => {
      const moved = (/** @type {number} */ by) => f(at.map((v, j) => (j === k ? v + by : v)));
      return (moved(1e-5) - moved(-1e-5)) / 2e-5;
    });
  const dot = (/** @type {number[]} */ a, /** @type {number[]} */ b) => a.reduce((sum, v, k) => sum + v * b[k], 0);
  let inverse = x.map((_, i) => x.map((_, j) => Number(i === j)));
  let value = f(x);
  let gradient = differentiate(x);
  for (let iteration = 0; iteration < 300 && Math.hypot(...gradient) > 1e-6; iteration++) {
    let direction = inverse.map((row) => -dot(row, gradient));
    if (dot(direction, gradient) >= 0) direction = gradient.map((g) => -g);
    let length = 1;
    const at = (/** @type {number} */ t) => x.map((v, k) => v + t * direction[k]);
    while (length > 1e-10 && f(at(length)) > value + 1e-4 * length * dot(direction, gradient)) length /= 2;
    if (length <= 1e-10) break;
    const next = at(length);
    const after = differentiate(next);
    const s = next.map((v, k) => v - x[k]);
    const y = after.map((v, k) => v - gradient[k]);
    const curvature = dot(s, y);
    if (curvature > 0) {
      const hy = inverse.map((row) => dot(row, y));
      const scale = (1 + dot(y, hy) / curvature) / curvature;
      inverse = inverse.map((row, i) =>
        row.map((v, j) => v + scale * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / curvature),
      );
    }
    [x, gradient, value] = [next, after, f(next)];
  }
  return { x, value };
}
