// The packed data of the page, and the paper's measures of W (core/geometry.py).

/**
 * An array of numbers, packed as in explorer/packing.py: as float32, or as int16 with a scale.
 * @typedef {{shape: number[], float32?: string, int16?: string, scale?: number}} Packed
 */

/**
 * Decodes base64.
 * @param {string} text
 */
function decode(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let k = 0; k < binary.length; k++) bytes[k] = binary.charCodeAt(k);
  return bytes;
}

/**
 * Decompresses the data of the page.
 * @param {string} text
 * @returns {Promise<any>}
 */
export function decompress(text) {
  // TypeScript before 5.1 does not know this class.
  const { DecompressionStream } = /** @type {any} */ (globalThis);
  return new Response(new Blob([decode(text)]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
}

/**
 * Unpacks an array.
 * @param {Packed} packed
 * @returns {Float32Array}
 */
export function unpack({ float32, int16, scale }) {
  if (float32 !== undefined) return new Float32Array(decode(float32).buffer);
  const bytes = decode(/** @type {string} */ (int16));
  const count = bytes.length / 2; // the low bytes, then the high ones
  return Float32Array.from(
    { length: count },
    (_, k) => (((bytes[count + k] << 24) >> 16) | bytes[k]) * /** @type {number} */ (scale),
  );
}

/**
 * Returns one of the equal parts of an array, if there is an array.
 * @template {Float32Array | null} T
 * @param {T} values
 * @param {number} which
 * @param {number} size
 * @returns {T}
 */
export function part(values, which, size) {
  return /** @type {T} */ (values && values.subarray(which * size, (which + 1) * size));
}

/** One model: W [m][n] and what follows from it. */
export class Model {
  /**
   * @param {ArrayLike<number>} W row by row
   * @param {number} m
   * @param {number} n
   */
  constructor(W, m, n) {
    this.W = W;
    this.m = m;
    this.n = n;
  }

  /**
   * Returns W_i·W_j.
   * @param {number} i
   * @param {number} j
   */
  gram(i, j) {
    let sum = 0;
    for (let k = 0; k < this.m; k++) sum += this.W[k * this.n + i] * this.W[k * this.n + j];
    return sum;
  }

  /**
   * Returns the column W_i.
   * @param {number} i
   */
  column(i) {
    return Array.from({ length: this.m }, (_, k) => this.W[k * this.n + i]);
  }

  /** Returns all columns of W. */
  columns() {
    return Array.from({ length: this.n }, (_, i) => this.column(i));
  }

  /**
   * Returns ‖W_i‖.
   * @param {number} i
   */
  norm(i) {
    return Math.hypot(...this.column(i));
  }

  /** Returns ‖W_i‖ of all features. */
  norms() {
    return Array.from({ length: this.n }, (_, i) => this.norm(i));
  }

  /**
   * Returns D_i = ‖W_i‖² / Σ_j (Ŵ_i·W_j)².
   * @param {number} i
   */
  dimensionality(i) {
    const square = this.gram(i, i);
    let total = 0;
    for (let j = 0; j < this.n; j++) total += this.gram(i, j) ** 2;
    return total > 0 ? square ** 2 / total : 0;
  }

  /**
   * Returns Σ_{j≠i} (Ŵ_i·W_j)².
   * @param {number} i
   */
  superposition(i) {
    const square = this.gram(i, i);
    let total = 0;
    for (let j = 0; j < this.n; j++) if (j !== i) total += this.gram(i, j) ** 2;
    return square > 0 ? total / square : 0;
  }
}

/**
 * Returns coordinates of some features in the three directions in which they extend most: the leading eigenvectors of
 * their Gram matrix, found by subspace iteration.
 * @param {Model} model
 * @param {number[]} features
 */
export function principalCoordinates(model, features) {
  const gram = features.map((i) => features.map((j) => model.gram(i, j)));
  const count = Math.min(3, features.length);
  let basis = Array.from({ length: count }, (_, k) => features.map((_, i) => Math.cos((k + 1) * (i + 1) * 1.7)));
  for (let iteration = 0; iteration < 200; iteration++) {
    basis = basis.map((v) => gram.map((row) => row.reduce((sum, g, j) => sum + g * v[j], 0)));
    for (let k = 0; k < count; k++) {
      for (let l = 0; l < k; l++) {
        const overlap = basis[k].reduce((sum, v, i) => sum + v * basis[l][i], 0);
        basis[k] = basis[k].map((v, i) => v - overlap * basis[l][i]);
      }
      const length = Math.hypot(...basis[k]);
      basis[k] = basis[k].map((v) => (length > 1e-9 ? v / length : 0));
    }
  }
  const values = basis.map((v) => v.reduce((sum, vi, i) => sum + vi * gram[i].reduce((s, g, j) => s + g * v[j], 0), 0));
  return features.map((_, i) =>
    [0, 1, 2].map((k) => (k < count ? basis[k][i] * Math.sqrt(Math.max(values[k], 0)) : 0)),
  );
}
