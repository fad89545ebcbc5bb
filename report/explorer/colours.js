// The colours of the figures (plotting/style.py); all can be told apart by colour-blind readers.
import * as d3 from "d3";

export const CATEGORIES = [
  "#0173b2",
  "#de8f05",
  "#029e73",
  "#d55e00",
  "#cc78bc",
  "#ca9161",
  "#fbafe4",
  "#949494",
  "#ece133",
  "#56b4e9",
];
/** Weights and dot products: blue is negative, orange positive. */
const SIGNED = ["#2f6cb0", "#5f8ec1", "#91b0d2", "#c1d1e2", "#f2f1f1", "#e3c6be", "#d49b8a", "#c47157", "#b54726"];
const IMPORTANCE = ["#fee838", "#ddc858", "#bbad6d", "#9a9376", "#7c7b78", "#60646f", "#424e6c", "#18376f", "#00224e"];
/** @type {Record<string, string>} the colours of features by the polytope that their factor forms */
const POLYTOPES = {
  single: CATEGORIES[5],
  digon: CATEGORIES[0],
  triangle: CATEGORIES[3],
  tetrahedron: CATEGORIES[4],
  pentagon: CATEGORIES[1],
  "square antiprism": CATEGORIES[2],
  hexagon: CATEGORIES[6],
  heptagon: CATEGORIES[8],
  icosahedron: CATEGORIES[9],
  other: "#8c8c8c",
  // Lighter than all others on a light page, and darker on a dark one.
  absent: "var(--absent)",
};

/**
 * Returns the colour of the features of a factor.
 * @param {string} name the polytope that the factor forms
 */
export const polytopeColour = (name) => POLYTOPES[name] ?? POLYTOPES.other;
/** The phases of the extra feature in a phase diagram: absent, in superposition, in a dedicated dimension. */
export const PHASES = ["#ffffff", CATEGORIES[1], CATEGORIES[0]];

/**
 * Mixes colours.
 * @param {string[]} colours
 * @param {ArrayLike<number>} shares
 */
export function mix(colours, shares) {
  const channels = [1, 3, 5].map((at) =>
    colours.reduce((sum, colour, k) => sum + shares[k] * parseInt(colour.slice(at, at + 2), 16), 0),
  );
  return `rgb(${channels.map(Math.round).join(" ")})`;
}

/** The colour of a number from -1 to 1. */
export const signed = d3.scaleSequential(d3.piecewise(d3.interpolateRgb, SIGNED)).domain([-1, 1]).clamp(true);
/** The colours of numbers from 0 to 1. */
export const [viridis, plasma] = [d3.interpolateViridis, d3.interpolatePlasma];
const important = d3.piecewise(d3.interpolateRgb, IMPORTANCE);

export const darkPage = () => matchMedia("(prefers-color-scheme: dark)").matches;

/**
 * Returns a colour for every feature: by set where there are sets, by importance where it varies, and otherwise one
 * colour, with the features whose density or importance the sweep varies in a second one.
 * @param {{n: number, importance: number[], sets: number[][], varied: number[]}} sweep
 */
export function featureColours({ n, importance, sets, varied }) {
  const features = d3.range(n);
  if (sets.length)
    return features.map((i) => {
      const k = sets.findIndex((set) => set.includes(i));
      return k < 0 ? CATEGORIES[7] : CATEGORIES[k % CATEGORIES.length];
    });
  const [low, high] = d3.extent(importance);
  // On a dark page the darkest colours would be lost.
  const share = d3.scaleLinear().domain([low, high]).range(darkPage() ? [0.7, 0] : [0, 1]);
  if (low < high) return importance.map((value) => important(share(value)));
  return features.map((i) => CATEGORIES[Number(varied.includes(i))]);
}
