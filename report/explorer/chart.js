// Charts: axes, lines, points and images, which can be pointed at with a mouse, a finger or the arrow keys.
import { format, svg } from "./page.js";

const MARGIN = { left: 46, right: 16, top: 8, bottom: 34 };

/**
 * @typedef {object} Axis
 * @property {number} from
 * @property {number} to
 * @property {string} title
 * @property {boolean} [log]
 * @property {number[]} [ticks]
 */

/** A chart in an SVG element. */
export class Chart {
  /**
   * @param {string} label what the chart shows, for screen readers
   * @param {Axis} x
   * @param {Axis} y
   * @param {{width?: number, height?: number}} size
   */
  constructor(label, x, y, { width = 360, height = 250 } = {}) {
    const inside = [width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
    this.place = { x: scale(x, MARGIN.left, inside[0]), y: scale(y, height - MARGIN.bottom, -inside[1]) };
    this.frame = { x: MARGIN.left, y: MARGIN.top, width: inside[0], height: inside[1] };
    this.element = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: "chart" });
    this.body = svg("g");
    const clip = `clip${Chart.count++}`;
    this.body.setAttribute("clip-path", `url(#${clip})`);
    this.element.append(
      svg("clipPath", { id: clip }, svg("rect", this.frame)),
      this.axes(x, y, height),
      this.body,
    );
  }

  /**
   * Draws the frame, the ticks and the titles of both axes.
   * @param {Axis} x
   * @param {Axis} y
   * @param {number} height
   */
  axes(x, y, height) {
    const group = svg("g", { class: "axes" }, svg("rect", { ...this.frame, class: "frame" }));
    const bottom = height - MARGIN.bottom;
    for (const tick of x.ticks ?? ticks(x)) {
      const at = this.place.x(tick);
      group.append(svg("line", { x1: at, x2: at, y1: bottom, y2: bottom + 3 }));
      group.append(svg("text", { x: at, y: bottom + 13, "text-anchor": "middle" }, tickText(tick)));
    }
    for (const tick of y.ticks ?? ticks(y)) {
      const at = this.place.y(tick);
      group.append(svg("line", { x1: MARGIN.left - 3, x2: MARGIN.left, y1: at, y2: at }));
      group.append(svg("text", { x: MARGIN.left - 5, y: at + 3.5, "text-anchor": "end" }, tickText(tick)));
    }
    const middle = MARGIN.top + this.frame.height / 2;
    group.append(
      svg("text", { x: MARGIN.left + this.frame.width / 2, y: height - 6, "text-anchor": "middle" }, x.title),
      svg("text", { x: 11, y: middle, "text-anchor": "middle", transform: `rotate(-90 11 ${middle})` }, y.title),
    );
    return group;
  }

  /**
   * Draws a line through points; missing values interrupt it.
   * @param {ArrayLike<number>} xs
   * @param {ArrayLike<number>} ys
   * @param {Record<string, any>} [attributes]
   */
  line(xs, ys, attributes = {}) {
    let path = "";
    let open = false;
    for (let k = 0; k < xs.length; k++) {
      const [x, y] = [this.place.x(xs[k]), this.place.y(ys[k])];
      const there = ys[k] !== null && Number.isFinite(y);
      if (there) path += `${open ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      open = there;
    }
    return this.add(svg("path", { d: path, class: "line", ...attributes }));
  }

  /**
   * Draws points of one colour and size, as a single element.
   * @param {ArrayLike<number>} xs
   * @param {ArrayLike<number>} ys
   * @param {string} colour
   * @param {number} [size] diameter
   */
  dots(xs, ys, colour, size = 5) {
    let path = "";
    for (let k = 0; k < xs.length; k++)
      path += `M${this.place.x(xs[k]).toFixed(1)} ${this.place.y(ys[k]).toFixed(1)}h0`;
    return this.add(svg("path", { d: path, class: "dots", stroke: colour, "stroke-width": size }));
  }

  /**
   * Draws a line across the chart at a value of x or y.
   * @param {"x" | "y"} axis
   * @param {number} value
   * @param {Record<string, any>} [attributes]
   */
  rule(axis, value, attributes = {}) {
    const { x, y, width, height } = this.frame;
    const at = this.place[axis](value);
    const ends = axis === "x" ? { x1: at, x2: at, y1: y, y2: y + height } : { y1: at, y2: at, x1: x, x2: x + width };
    return this.add(svg("line", { class: "rule", ...ends, ...attributes }));
  }

  /**
   * Writes a text at the right end of a line across the chart.
   * @param {number} y
   * @param {string} text
   * @param {boolean} below whether it stands below the line
   */
  mark(y, text, below) {
    const place = { x: this.frame.x + this.frame.width - 3, y: this.place.y(y) + (below ? 9 : -3) };
    return this.add(svg("text", { ...place, "text-anchor": "end", class: "mark" }, text));
  }

  /**
   * Fills the chart with a picture of equal cells.
   * @param {number} columns
   * @param {number} rows
   * @param {(column: number, row: number) => string} colour row 0 is at the top
   */
  cells(columns, rows, colour) {
    const canvas = document.createElement("canvas");
    canvas.width = columns;
    canvas.height = rows;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        context.fillStyle = colour(column, row);
        context.fillRect(column, row, 1, 1);
      }
    return this.add(
      svg("image", { ...this.frame, href: canvas.toDataURL(), preserveAspectRatio: "none", class: "cells" }),
    );
  }

  /** Removes everything but the axes. */
  clear() {
    this.body.replaceChildren();
  }

  /** @param {Element} element */
  add(element) {
    this.body.append(element);
    return element;
  }

  /**
   * Makes the chart one to point at.
   * @param {(x: number, y: number) => void} point called with the values under the pointer
   * @param {(dx: number, dy: number) => void} step called with the direction of an arrow key
   * @param {{held: boolean}} [hold] whether a click holds the point, so that the mouse can leave; charts may share it
   */
  interactive(point, step, hold = { held: false }) {
    const { element, frame, place } = this;
    const report = (/** @type {PointerEvent} */ event) => {
      const box = element.getBoundingClientRect();
      const unit = element.viewBox.baseVal.width / box.width;
      const inside = (/** @type {number} */ v, /** @type {number} */ from, /** @type {number} */ size) =>
        Math.min(Math.max(v, from), from + size);
      point(
        place.x.invert(inside((event.clientX - box.left) * unit, frame.x, frame.width)),
        place.y.invert(inside((event.clientY - box.top) * unit, frame.y, frame.height)),
      );
    };
    element.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      report(event);
      hold.held = event.pointerType === "mouse" && !hold.held;
    });
    element.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (event.pointerType === "mouse" ? !hold.held : event.buttons) report(event);
    });
    arrowKeys(element, step);
  }
}
Chart.count = 0;

/**
 * Makes an element answer to the arrow keys.
 * @param {any} element
 * @param {(dx: number, dy: number) => void} step called with the direction of a key; up is positive
 */
export function arrowKeys(element, step) {
  element.setAttribute("tabindex", "0");
  element.setAttribute("role", "application");
  element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!move) return;
    event.preventDefault();
    step(move[0], move[1]);
  });
}

/**
 * Returns the function from values to places on the screen, with its inverse.
 * @param {Axis} axis
 * @param {number} start
 * @param {number} length
 */
function scale({ from, to, log }, start, length) {
  const [f, g] = log ? [Math.log, Math.exp] : [Number, Number];
  const place = (/** @type {number} */ value) => start + ((f(value) - f(from)) / (f(to) - f(from))) * length;
  place.invert = (/** @type {number} */ at) => g(f(from) + ((at - start) / length) * (f(to) - f(from)));
  return place;
}

/**
 * Returns the axis on which evenly spaced values are the centres of cells; logarithmic if all are positive.
 * @param {number[]} values
 * @param {string} title
 * @returns {Axis}
 */
export function cellAxis(values, title) {
  const [first, second, last] = [values[0], values[1], values[values.length - 1]];
  if (Math.min(first, last) <= 0) {
    const half = (second - first) / 2;
    return { from: first - half, to: last + half, title };
  }
  const half = Math.sqrt(second / first);
  return { from: first / half, to: last * half, title, log: true };
}

/**
 * Formats the value of a tick, such as 0.3, 10⁻⁶ or 3 × 10⁻⁶.
 * @param {number} tick
 */
const tickText = (tick) => format(tick, 3).replace(/\.?0* × /, " × ").replace(/^1 × /, "");

/**
 * Chooses the ticks of an axis.
 * @param {Axis} axis
 */
function ticks({ from, to, log }) {
  const [low, high] = [Math.min(from, to), Math.max(from, to)];
  const found = [];
  if (log) {
    const decades = Math.log10(high / low);
    const steps = decades < 0.8 ? [1, 2, 3, 5, 7] : decades < 1.3 ? [1, 2, 5] : decades < 2.6 ? [1, 3] : [1];
    const every = Math.ceil(decades / 6);
    for (let k = Math.floor(Math.log10(low)); k <= Math.log10(high); k++)
      if (k % every === 0) found.push(...steps.map((s) => s * 10 ** k));
  } else {
    const rough = (high - low) / 5;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = /** @type {number} */ ([1, 2, 5, 10].find((s) => s * power >= rough)) * power;
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(k * step);
  }
  return found.filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9));
}
