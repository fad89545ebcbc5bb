// The package's random numbers: counter-based, so each one depends only on where it is used (core/draws.py).

/** The purpose of a draw, which is the last word of its counter. */
export const TRAINING = 0;
export const INITIAL = 2;

/**
 * Returns the upper half of the 64-bit product of two unsigned 32-bit numbers. Doubles hold each partial product exactly.
 * @param {number} a
 * @param {number} b
 */
function multiplyHigh(a, b) {
  const low = ((a & 0xffff) * b * 2 ** -16) >>> 0;
  return (((a >>> 16) * b + low) * 2 ** -16) >>> 0;
}

/**
 * Applies the ten rounds of Philox4x32 (Salmon et al. 2011) to a counter of four words, in place.
 * @param {Uint32Array} c
 * @param {number} k0
 * @param {number} k1
 */
export function philox(c, k0, k1) {
  let [c0, c1, c2, c3] = c;
  for (let round = 0; round < 10; round++) {
    const a0 = multiplyHigh(c0, 0xd2511f53);
    const a1 = Math.imul(c0, 0xd2511f53);
    const b0 = multiplyHigh(c2, 0xcd9e8d57);
    const b1 = Math.imul(c2, 0xcd9e8d57);
    c0 = (b0 ^ c1 ^ k0) >>> 0;
    c1 = b1 >>> 0;
    c2 = (a0 ^ c3 ^ k1) >>> 0;
    c3 = a1 >>> 0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  c[0] = c0;
  c[1] = c1;
  c[2] = c2;
  c[3] = c3;
}

/**
 * Draws uniform numbers in [0, 1), with 24 bits each, for all samples of one training step.
 * @param {Float32Array} out the numbers, [row][sample]; rows are padded to a multiple of four
 * @param {number} samples
 * @param {number} step
 * @param {number} seed
 * @param {number} restart
 */
export function uniforms(out, samples, step, seed, restart) {
  const counter = new Uint32Array(4);
  const quads = out.length / samples / 4;
  for (let quad = 0; quad < quads; quad++)
    for (let sample = 0; sample < samples; sample++) {
      counter[0] = sample;
      counter[1] = quad;
      counter[2] = step;
      counter[3] = TRAINING;
      philox(counter, seed, restart);
      for (let r = 0; r < 4; r++) out[(4 * quad + r) * samples + sample] = (counter[r] >>> 8) * 2 ** -24;
    }
}

/**
 * Draws standard normal numbers (Box–Muller) for initial weights.
 * @param {number} count
 * @param {[number, number]} point two words that identify the point of the sweep
 * @param {number} seed
 * @param {number} restart
 */
export function normals(count, point, seed, restart) {
  const numbers = [];
  for (let pair = 0; numbers.length < count; pair++) {
    const counter = new Uint32Array([pair, ...point, INITIAL]);
    philox(counter, seed, restart);
    const radius = Math.sqrt(-2 * Math.log((counter[0] + 0.5) * 2 ** -32));
    const angle = 2 * Math.PI * counter[1] * 2 ** -32;
    numbers.push(radius * Math.cos(angle), radius * Math.sin(angle));
  }
  return numbers.slice(0, count);
}

/** The initial state of BLAKE2b: the fractional parts of the square roots of the first eight primes. */
const BLAKE_STATE = [
  0x6a09e667f3bcc908n,
  0xbb67ae8584caa73bn,
  0x3c6ef372fe94f82bn,
  0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n,
  0x9b05688c2b3e6c1fn,
  0x1f83d9abfb41bd6bn,
  0x5be0cd19137e2179n,
];
const BLAKE_ORDERS = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
/** The positions that each of the eight mixings of a round works on: first the columns, then the diagonals. */
const BLAKE_MIXINGS = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
];

/**
 * Returns the BLAKE2b hash of a text with a digest of eight bytes, as two little-endian 32-bit words.
 * @param {string} text
 * @returns {[number, number]}
 */
export function hash(text) {
  const bytes = new TextEncoder().encode(text);
  const state = BLAKE_STATE.slice();
  state[0] ^= 0x01010008n; // the parameters: no key, eight bytes
  const blocks = Math.max(1, Math.ceil(bytes.length / 128));
  for (let block = 0; block < blocks; block++) {
    const padded = new Uint8Array(128);
    padded.set(bytes.subarray(128 * block, 128 * (block + 1)));
    const words = new BigUint64Array(padded.buffer);
    compress(state, words, BigInt(Math.min(bytes.length, 128 * (block + 1))), block === blocks - 1);
  }
  return [Number(state[0] & 0xffffffffn), Number(state[0] >> 32n)];
}

/**
 * Mixes a block into the state of BLAKE2b, in place.
 * @param {bigint[]} state
 * @param {BigUint64Array} words the block
 * @param {bigint} count bytes of the text up to the end of the block
 * @param {boolean} last whether this is the last block
 */
function compress(state, words, count, last) {
  const v = [...state, ...BLAKE_STATE];
  v[12] ^= count;
  if (last) v[14] = BigInt.asUintN(64, ~v[14]);
  const rotate = (/** @type {bigint} */ x, /** @type {bigint} */ bits) =>
    BigInt.asUintN(64, (x >> bits) | (x << (64n - bits)));
  for (let round = 0; round < 12; round++)
    BLAKE_MIXINGS.forEach(([a, b, c, d], k) => {
      const order = BLAKE_ORDERS[round % 10];
      for (const [word, first, second] of [
        [words[order[2 * k]], 32n, 24n],
        [words[order[2 * k + 1]], 16n, 63n],
      ]) {
        v[a] = BigInt.asUintN(64, v[a] + v[b] + word);
        v[d] = rotate(v[d] ^ v[a], first);
        v[c] = BigInt.asUintN(64, v[c] + v[d]);
        v[b] = rotate(v[b] ^ v[c], second);
      }
    });
  for (let k = 0; k < 8; k++) state[k] ^= v[k] ^ v[k + 8];
}

/**
 * Formats a number as Python does in JSON.
 * @param {number} value
 */
export function pythonNumber(value) {
  if (Number.isInteger(value)) return `${value}.0`;
  if (Math.abs(value) >= 1e-4) return String(value);
  return value.toExponential().replace(/e-(\d)$/, "e-0$1");
}
