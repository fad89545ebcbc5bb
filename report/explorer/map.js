// Maps over the last two axes of a sweep, to point at: phases, or the loss over the weights, which is also a surface.
import * as d3 from "d3";
import { Arrangement } from "./arrangement.js";
import { Chart, cellAxis } from "./chart.js";
import { CATEGORIES, PHASES, mix, viridis } from "./colours.js";
import { part, unpack } from "./models.js";
import { html, legend, nearest, panel, svg } from "./page.js";

export const PHASE_NAMES = ["absent", "in superposition", "in a dedicated dimension"];
/** The legend of the phases of the extra feature. */
export const PHASE_LEGEND = PHASES.map((colour, k) => ({ colour, text: `extra feature ${PHASE_NAMES[k]}` }));
/** The range of colours and heights of losses, over the loss of an output of 0 (paper/phase/draw.py). */
const LOSSES = [0.03, 1.6];
/** The colours of marked points, and of their outlines. */
const MARKS = [CATEGORIES[1], CATEGORIES[3], "#fff"];
/** Every so many points of a grid are corners of the surface. */
const COARSENESS = 2;

/**
 * Draws a map beside a sweep.
 * @param {{title: string, shares?: any, loss?: any, marks?: any[]}} given `marks`: the marked points of every layer
 * @param {{axes: [string, any[]][]}} sweep
 * @param {Record<string, string>} names the names of the axes
 * @param {Record<string, number>} index the present place on every axis
 * @param {(axis: string, index: number) => void} move called when a place is pointed at
 * @param {import("./page.js").Address} address
 */
export function drawMap({ title, shares, loss, marks }, { axes }, names, index, move, address) {
  const [[xName, xs], [yName, ys]] = axes.slice(-2);
  const [values, size] = [unpack(shares ?? loss), xs.length * ys.length];
  const chart = new Chart(
    `${title}; arrow keys move the point`,
    cellAxis(xs, names[xName]),
    cellAxis(ys, names[yName]),
    { height: 320 },
  );
  const surface = loss ? new Surface("The loss as a surface over the two weights; arrow keys turn it", address) : undefined;
  const height = d3.scaleLog().domain(LOSSES).clamp(true);
  const kinds = marks ? [...new Set(marks.flatMap(Object.keys))] : [];
  let drawn = -1;
  const mark = () => {
    const layer = axes.slice(0, -2).reduce((k, [name, { length }]) => k * length + index[name], 0);
    const at = (/** @type {number} */ column, /** @type {number} */ row) => layer * size + column * ys.length + row;
    const colour = (/** @type {number} */ k) =>
      shares ? mix(PHASES, part(values, k, 3)) : viridis(1 - height(values[k]));
    if (layer !== drawn) {
      chart.clear();
      chart.cells(xs.length, ys.length, (column, row) => colour(at(column, ys.length - 1 - row)));
      kinds.forEach((kind, k) => {
        const [x, y] = marks?.[layer][kind] ?? [[], []];
        chart.dots(x, y, "#222", k < 2 ? 9 : 6);
        chart.dots(x, y, MARKS[k], k < 2 ? 7 : 4);
      });
      surface?.showGrid(xs.length, ys.length, (column, row) => height(values[at(column, row)]));
      drawn = layer;
    }
    chart.moveCursor(chart.circle(xs[index[xName]], ys[index[yName]]));
    surface?.point(index[xName], index[yName]);
  };
  const go = (/** @type {number} */ column, /** @type {number} */ row) => {
    move(xName, column);
    move(yName, row);
  };
  chart.interactive(
    (x, y) => go(nearest(xs, x), nearest(ys, y)),
    (dx, dy) => go(index[xName] + dx, index[yName] + dy),
  );
  const entries = shares
    ? PHASE_LEGEND
    : [
        ...kinds.map((kind, k) => ({ colour: MARKS[k], text: kind })),
        { colour: viridis(1), text: "the brighter, the lower (logarithmic)" },
      ];
  return {
    mark,
    element: html("div", {}, chart.element, legend(...entries)),
    more: surface ? [panel("The same as a surface", surface.element)] : [],
  };
}

/** A surface over a square, which turns as a solid does. */
class Surface extends Arrangement {
  /** @type {{corners: number[][], colour: string}[]} */
  faces = [];
  /** @type {(column: number, row: number) => number[]} */
  corner = () => [];

  /**
   * @param {string} label
   * @param {import("./page.js").Address} address
   */
  constructor(label, address) {
    super(label, address);
    this.turn.elevation = address.number("elevation", 0.7);
  }

  get solid() {
    return true;
  }

  /**
   * Shows a function of a grid.
   * @param {number} columns
   * @param {number} rows
   * @param {(column: number, row: number) => number} height from 0 to 1
   */
  showGrid(columns, rows, height) {
    this.element.classList.add("solid");
    this.corner = (/** @type {number} */ column, /** @type {number} */ row) => [
      (2 * column) / (columns - 1) - 1,
      (2 * row) / (rows - 1) - 1,
      height(column, row) - 0.5,
    ];
    this.faces = [];
    for (let column = 0; column + COARSENESS < columns; column += COARSENESS)
      for (let row = 0; row + COARSENESS < rows; row += COARSENESS) {
        const [right, up] = [column + COARSENESS, row + COARSENESS];
        const corners = [
          [column, row],
          [right, row],
          [right, up],
          [column, up],
        ].map(([i, j]) => this.corner(i, j));
        this.faces.push({ corners, colour: viridis(1 - height(column + COARSENESS / 2, row + COARSENESS / 2)) });
      }
  }

  /**
   * Marks a point of the grid.
   * @param {number} column
   * @param {number} row
   */
  point(column, row) {
    this.present = this.corner(column, row);
    this.draw();
  }

  draw() {
    const place = (/** @type {number[]} */ point) => {
      const [x, y, near] = this.project(point);
      return [this.size / 2 + (x * this.size) / 3.1, this.size / 2 - (y * this.size) / 3.1, near];
    };
    const faces = this.faces.map(({ corners, colour }) => ({ at: corners.map(place), colour }));
    const depth = (/** @type {number[][]} */ at) => at.reduce((sum, [, , near]) => sum + near, 0);
    faces.sort((a, b) => depth(a.at) - depth(b.at));
    const text = (/** @type {string} */ name, /** @type {number[]} */ point) => {
      const [x, y] = place(point);
      return svg("text", { x, y, "text-anchor": "middle" }, name);
    };
    const parts = faces.map(({ at, colour }) => {
      const points = at.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
      return svg("polygon", { points, fill: colour, class: "face" });
    });
    if (this.present) {
      const [cx, cy] = place(this.present);
      parts.push(svg("circle", { cx, cy, r: 5, class: "cursor" }));
    }
    this.element.replaceChildren(...parts, text("W₁", [1.2, 0, -0.5]), text("W₂", [0, 1.2, -0.5]));
  }
}
