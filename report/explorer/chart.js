// Charts: axes, lines, points and images, which can be pointed at with a mouse, a finger or the arrow keys.
import * as d3 from "d3";
import { format, svg } from "./page.js";

const MARGIN = { left: 46, right: 16, top: 8, bottom: 34 };
/** About how many ticks of an axis are labelled. */
const TICKS = 5;

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
    const { left, right, top, bottom } = MARGIN;
    this.frame = { x: left, y: top, width: width - left - right, height: height - top - bottom };
    this.place = { x: scale(x, left, width - right), y: scale(y, height - bottom, top) };
    this.element = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: "chart" });
    this.body = svg("g");
    /** @type {Element[]} */
    this.cursor = [];
    const clip = `clip${Chart.count++}`;
    this.body.setAttribute("clip-path", `url(#${clip})`);
    this.element.append(svg("clipPath", { id: clip }, svg("rect", this.frame)), this.axes(x, y, height), this.body);
  }

  /**
   * Draws the frame, the ticks and the titles of both axes.
   * @param {Axis} x
   * @param {Axis} y
   * @param {number} height
   */
  axes(x, y, height) {
    const middle = MARGIN.top + this.frame.height / 2;
    return svg(
      "g",
      { class: "axes" },
      svg("rect", { ...this.frame, class: "frame" }),
      drawTicks(d3.axisBottom, this.place.x, x, 0, height - MARGIN.bottom),
      drawTicks(d3.axisLeft, this.place.y, y, MARGIN.left, 0),
      svg("text", { x: MARGIN.left + this.frame.width / 2, y: height - 6, "text-anchor": "middle" }, x.title),
      svg("text", { x: 11, y: middle, "text-anchor": "middle", transform: `rotate(-90 11 ${middle})` }, y.title),
    );
  }

  /**
   * Draws a line through points; missing values interrupt it.
   * @param {ArrayLike<number>} xs
   * @param {ArrayLike<number>} ys
   * @param {Record<string, any>} [attributes]
   */
  line(xs, ys, attributes = {}) {
    const { x, y } = this.place;
    const line = d3
      .line()
      .defined((value) => value !== null && Number.isFinite(y(value)))
      .x((_, k) => x(xs[k]))
      .y(y);
    return this.add(svg("path", { d: line(ys) ?? "", class: "line", ...attributes }));
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

  /**
   * Marks the present place, in place of the one before.
   * @param {...Element} parts
   */
  moveCursor(...parts) {
    this.cursor.forEach((part) => part.remove());
    this.cursor = parts.map((part) => this.add(part));
  }

  /**
   * Returns a circle around a point.
   * @param {number} x
   * @param {number} y
   * @param {number} [r] radius
   */
  circle(x, y, r = 6) {
    return svg("circle", { cx: this.place.x(x), cy: this.place.y(y), r, class: "cursor" });
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
    const { element } = this;
    const [x, y] = [this.place.x, this.place.y].map((scale) => scale.copy().clamp(true));
    const report = (/** @type {PointerEvent} */ event) => {
      const place = d3.clientPoint(element, event);
      point(x.invert(place[0]), y.invert(place[1]));
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
 * Returns the function from values to places on the screen.
 * @param {Axis} axis
 * @param {number} start
 * @param {number} end
 */
function scale({ from, to, log }, start, end) {
  return (log ? d3.scaleLog() : d3.scaleLinear()).domain([from, to]).range([start, end]);
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
 * Draws the ticks of an axis, not all of which are labelled if it is logarithmic.
 * @param {(scale: import("d3").Scale) => import("d3").Axis} draw
 * @param {import("d3").Scale} scale
 * @param {Axis} axis
 * @param {number} x where the axis begins on the screen
 * @param {number} y
 */
function drawTicks(draw, scale, { log, ticks }, x, y) {
  const group = svg("g", { transform: `translate(${x} ${y})` });
  const text = log ? scale.tickFormat(TICKS, tickText) : tickText;
  draw(scale).ticks(TICKS).tickValues(ticks ?? null).tickFormat(text).tickSize(3)(d3.select(group));
  return group;
}
