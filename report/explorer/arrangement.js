// Pictures of a model: its features as arrows in one, two or three dimensions, and matrices.
import * as d3 from "d3";
import { Chart, arrowKeys } from "./chart.js";
import { signed } from "./colours.js";
import { clamp, format, html, subscript, svg } from "./page.js";

/** Largest number of features that are labelled. */
const MAX_LABELLED = 20;

/** Length of a column for which every picture has room, so that most have the same scale. */
const USUAL_LENGTH = 1.1;

/** The columns of W as arrows, in up to three dimensions. Three dimensions can be turned. */
export class Arrangement {
  /**
   * @param {string} label what is shown, for screen readers
   * @param {import("./page.js").Address} [address] keeps how a solid is turned
   * @param {number} [size] width and height; the smaller, the larger are the letters
   */
  constructor(label, address, size = 320) {
    this.size = size;
    const spoken = { role: "img", "aria-label": label };
    this.element = svg("svg", { viewBox: `0 0 ${size} ${size}`, ...spoken, class: "arrangement" });
    const kept = (/** @type {string} */ key, /** @type {number} */ usual) => address?.number(key, usual) ?? usual;
    this.turn = { azimuth: kept("azimuth", 0.6), elevation: kept("elevation", 0.3) };
    this.address = address;
    /** @type {Arrangement[]} pictures that turn together */
    this.together = [this];
    /** @type {{columns: number[][], colours: string[], joined: number[][], names: number[], longest: number}} */
    this.model = { columns: [], colours: [], joined: [], names: [], longest: USUAL_LENGTH };
    this.element.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (event.buttons && this.solid) this.rotate(event.movementX * 0.01, event.movementY * 0.01);
    });
    // Otherwise a finger would scroll the page.
    this.element.addEventListener("touchmove", (/** @type {Event} */ event) => this.solid && event.preventDefault());
    arrowKeys(this.element, (dx, dy) => this.solid && this.rotate(0.1 * dx, -0.1 * dy));
  }

  /** Whether the arrangement has three dimensions. */
  get solid() {
    return this.model.columns[0]?.length === 3;
  }

  /**
   * @param {number} azimuth
   * @param {number} elevation
   */
  rotate(azimuth, elevation) {
    this.turn.azimuth -= azimuth;
    this.turn.elevation = clamp(this.turn.elevation + elevation, -1.5, 1.5);
    for (const picture of this.together) picture.draw();
    const { azimuth: a, elevation: e } = this.turn;
    for (const { address } of this.together) address?.set({ azimuth: a.toFixed(2), elevation: e.toFixed(2) });
  }

  /**
   * Makes another picture turn with this one.
   * @param {Arrangement} other
   */
  joinTurning(other) {
    other.turn = this.turn;
    this.together.push(other);
    other.together = this.together;
    other.draw();
  }

  /**
   * Shows a model.
   * @param {number[][]} columns the columns of W, [n][m] with m ≤ 3
   * @param {string[]} colours
   * @param {{longest?: number, names?: number[], edges?: number[][]}} options `longest`: the longest column of all models
   *   that are shown on one scale, by default of this one; `names`: numbers of the features, counted from 0; `edges`:
   *   pairs to join, by default the edges of the convex hull of a solid
   */
  show(columns, colours, { longest = Math.max(...columns.map((w) => Math.hypot(...w))), names, edges } = {}) {
    const joined = edges ?? (columns[0]?.length === 3 ? hullEdges(columns) : []);
    this.model = { columns, colours, joined, names: names ?? columns.map((_, i) => i), longest };
    this.draw();
  }

  draw() {
    const { columns, colours, joined, longest } = this.model;
    // A quarter of the longest arrow is left for its label.
    const unit = this.size / 2 / (1.25 * Math.max(USUAL_LENGTH, longest));
    const at = columns.map((place) => this.project(place));
    const [x, y] = [0, 1].map(
      (axis) => (/** @type {number[]} */ p) => this.size / 2 + (axis ? -1 : 1) * unit * p[axis],
    );
    const line = (/** @type {number[]} */ from, /** @type {number[]} */ to, /** @type {Record<string, any>} */ more) =>
      svg("line", { x1: x(from), y1: y(from), x2: x(to), y2: y(to), ...more });
    const parts = [svg("circle", { cx: this.size / 2, cy: this.size / 2, r: unit, class: "unit" })];
    const dimensions = columns[0]?.length ?? 2;
    // A line needs little height.
    const [top, height] = dimensions === 1 ? [0.35 * this.size, 0.3 * this.size] : [0, this.size];
    this.element.setAttribute("viewBox", `0 ${top} ${this.size} ${height}`);
    for (let axis = 0; axis < dimensions; axis++) {
      const end = [0, 1, 2].map((k) => (k === axis ? 1 : 0)).slice(0, dimensions);
      parts.push(line(this.project(end.map((v) => -v)), this.project(end), { class: "unit" }));
    }
    for (const [i, j] of joined) {
      const near = (at[i][2] + at[j][2]) / 2;
      parts.push(line(at[i], at[j], { class: "edge", opacity: near > -0.05 ? 1 : 0.4 }));
    }
    const thin = columns.length > MAX_LABELLED;
    const order = at.map((_, i) => i).sort((i, j) => at[i][2] - at[j][2]);
    for (const i of order) {
      parts.push(line([0, 0], at[i], { stroke: colours[i], "stroke-width": thin ? 1 : 2.2 }));
      parts.push(svg("circle", { cx: x(at[i]), cy: y(at[i]), r: thin ? 2.5 : 4.5, fill: colours[i], class: "tip" }));
    }
    if (!thin) parts.push(...this.labels(at, x, y));
    this.element.replaceChildren(...parts);
  }

  /**
   * Writes the numbers of the features beyond the ends of the arrows; features at one place share a label.
   * @param {number[][]} at
   * @param {(p: number[]) => number} x
   * @param {(p: number[]) => number} y
   */
  labels(at, x, y) {
    /** @type {{place: number[], members: number[]}[]} */
    const groups = [];
    const { columns, names } = this.model;
    at.forEach((place, i) => {
      const length = Math.hypot(...columns[i]);
      if (length < 0.3) return;
      const group = groups.find((g) => Math.hypot(g.place[0] - place[0], g.place[1] - place[1]) < 0.15);
      if (group) group.members.push(names[i] + 1);
      else groups.push({ place, members: [names[i] + 1] });
    });
    return groups.map(({ place, members }) => {
      const length = Math.max(Math.hypot(place[0], place[1]), 0.2);
      const beyond = [0, 1].map((k) => place[k] * (1 + 0.17 / length));
      return svg("text", { x: x(beyond), y: y(beyond) + 4, "text-anchor": "middle" }, members.join(", "));
    });
  }

  /**
   * Returns the place on the screen and the nearness of a point.
   * @param {number[]} point
   * @returns {number[]}
   */
  project(point) {
    if (point.length < 3) return [point[0], point[1] ?? 0, 0];
    const { azimuth, elevation } = this.turn;
    const [px, py, pz] = point;
    const across = -Math.sin(azimuth) * px + Math.cos(azimuth) * py;
    const towards = Math.cos(azimuth) * px + Math.sin(azimuth) * py;
    return [
      across,
      Math.cos(elevation) * pz - Math.sin(elevation) * towards,
      Math.cos(elevation) * towards + Math.sin(elevation) * pz,
    ];
  }
}

/**
 * Returns the edges of the convex hull of the represented features in three dimensions, without those inside a face.
 * @param {number[][]} columns
 */
export function hullEdges(columns) {
  const corners = columns.map((_, i) => i).filter((i) => Math.hypot(...columns[i]) > 0.3);
  if (corners.length < 4 || corners.length > MAX_LABELLED) return [];
  const edges = new Map();
  for (const a of corners)
    for (const b of corners)
      for (const c of corners) {
        if (a >= b || b >= c) continue;
        const normal = cross(minus(columns[b], columns[a]), minus(columns[c], columns[a]));
        const length = Math.hypot(...normal);
        if (length < 1e-3) continue;
        const height = corners.map((i) => dot(minus(columns[i], columns[a]), normal) / length);
        const [low, high] = [Math.min(...height), Math.max(...height)];
        if (low < -0.02 && high > 0.02) continue;
        if (high - low < 0.04) return []; // all in one plane
        const face = corners.filter((_, k) => Math.abs(height[k]) < 0.02);
        for (const [i, j] of outline(face, columns, normal)) edges.set(`${i} ${j}`, [i, j]);
      }
  return [...edges.values()];
}

/**
 * Returns the edges of a flat face, as sorted pairs.
 * @param {number[]} face
 * @param {number[][]} columns
 * @param {number[]} normal
 */
function outline(face, columns, normal) {
  const centre = [0, 1, 2].map((k) => face.reduce((sum, i) => sum + columns[i][k], 0) / face.length);
  const right = minus(columns[face[0]], centre);
  const up = cross(normal, right);
  const scale = Math.hypot(...up) / Math.hypot(...right);
  const angle = (/** @type {number} */ i) =>
    Math.atan2(dot(minus(columns[i], centre), up) / scale, dot(minus(columns[i], centre), right));
  const around = [...face].sort((i, j) => angle(i) - angle(j));
  return around.map((i, k) => [i, around[(k + 1) % around.length]].sort((p, q) => p - q));
}

const minus = (/** @type {number[]} */ a, /** @type {number[]} */ b) => a.map((v, k) => v - b[k]);
const dot = (/** @type {number[]} */ a, /** @type {number[]} */ b) => a.reduce((sum, v, k) => sum + v * b[k], 0);
const cross = (/** @type {number[]} */ a, /** @type {number[]} */ b) => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

/**
 * Names an entry of WᵀW.
 * @param {number} i
 * @param {number} j
 */
export const gramEntry = (i, j) => `W${subscript(i)}·W${subscript(j)}`;

/** A matrix as coloured cells; the one that is pointed at is written below. */
export class Matrix {
  /**
   * @param {string} label what is shown, for screen readers
   * @param {(i: number, j: number) => string} entry names an entry by its row and column, counted from 1
   * @param {import("./page.js").Address} address keeps the cell that is pointed at
   */
  constructor(label, entry, address) {
    this.label = label;
    this.entry = entry;
    this.address = address;
    this.cell = ["row", "column"].map((key) => Math.round(address.number(key, 1)) - 1);
    this.readout = html("output", {});
    this.element = html("div", { class: "matrix" });
  }

  /**
   * Shows a matrix.
   * @param {(i: number, j: number) => number} value
   * @param {number} rows
   * @param {number} columns
   * @param {number} [reach] the value with the darkest colour, by default the largest
   */
  show(value, rows, columns, reach = 0) {
    if (!reach)
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++) reach = Math.max(reach, 1, Math.abs(value(i, j)));
    const size = { width: 320, height: Math.max(120, (260 * rows) / Math.max(rows, columns) + 50) };
    const numbers = (/** @type {number} */ count) =>
      d3.ticks(1, count, (12 * count) / Math.max(rows, columns)).filter(Number.isInteger);
    const across = { from: 0.5, to: columns + 0.5, title: "", ticks: numbers(columns) };
    const down = { from: rows + 0.5, to: 0.5, title: "", ticks: numbers(rows) };
    const chart = new Chart(this.label, across, down, size);
    chart.cells(columns, rows, (column, row) => signed(value(row, column) / reach));
    const go = (/** @type {number} */ row, /** @type {number} */ column) => {
      point(row, column);
      this.address.set({ row: this.cell[0] + 1, column: this.cell[1] + 1 });
    };
    const point = (/** @type {number} */ row, /** @type {number} */ column) => {
      this.cell = [clamp(row, 0, rows - 1), clamp(column, 0, columns - 1)];
      const [i, j] = this.cell;
      this.readout.textContent = `${this.entry(i + 1, j + 1)} = ${format(value(i, j))}`;
      const [x, y] = [chart.place.x(j + 0.5), chart.place.y(i + 0.5)];
      const box = { width: chart.frame.width / columns, height: chart.frame.height / rows };
      chart.moveCursor(svg("rect", { x, y, ...box, class: "cursor" }));
    };
    chart.interactive(
      (x, y) => go(Math.round(y) - 1, Math.round(x) - 1),
      (dx, dy) => go(this.cell[0] - dy, this.cell[1] + dx),
    );
    point(this.cell[0], this.cell[1]);
    this.element.replaceChildren(chart.element, this.readout);
  }
}
