// Elements, the formats of numbers, and the state of the page, which is kept in its address.

/**
 * Creates an HTML element.
 * @param {string} name
 * @param {Record<string, any>} [attributes] attributes, and listeners such as `oninput`
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function html(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/**
 * Creates an SVG element.
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

/**
 * Shows a view in an element; returns what ends the view, if anything has to.
 * @typedef {(root: HTMLElement, view: any, address: Address, data: any) => (() => void) | void} Show
 */

/**
 * @param {any} element
 * @param {Record<string, any>} attributes
 * @param {(Node | string)[]} children
 */
function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes))
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  element.append(...children);
  return element;
}

/**
 * Formats a number for reading, with four significant digits or as many as given.
 * @param {number} value
 * @param {number} [digits]
 */
export function format(value, digits = 4) {
  if (value === null || Number.isNaN(value)) return "–";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6))
    return value
      .toExponential(digits - 1)
      .replace("e-", " × 10^−")
      .replace("e+", " × 10^")
      .replace(/\^(−?\d+)/, raise);
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}

/**
 * @param {string} _
 * @param {string} exponent
 */
function raise(_, exponent) {
  return exponent.replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)] ?? "⁻");
}

/**
 * Formats a number with its standard error, to the last digit that the error leaves.
 * @param {number} value
 * @param {number} error
 */
export function withError(value, error) {
  const digits = Math.max(Math.floor(Math.log10(value)) - Math.floor(Math.log10(error)) + 1, 1);
  return `${format(value, digits)} ± ${format(error, 1)}`;
}

/**
 * Formats a number with three decimals.
 * @param {number} value
 */
export function fixed(value) {
  return value
    .toFixed(3)
    .replace(/^-(?=0\.000$)/, "")
    .replace("-", "−");
}

/**
 * Writes a number as a subscript.
 * @param {number} value
 */
export function subscript(value) {
  return String(value).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]);
}

/**
 * Converts W_i, Σ_{j≠i} and the like to letters with subscripts, and sets the minus signs of 1-S and n - 1.
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export function prose(text) {
  return text
    .replace(/(?<=\b1)-(?=S\b)|(?<=\S )-(?= \S)/g, "−")
    .split(/((?<!\w)[A-Za-zΣŴ]_(?:\{[^}]+\}|[A-Za-z0-9])|‖_F)(?!\w)/)
    .map((part, k) => {
      if (k % 2 === 0) return part;
      const letter = part[0] === "‖" ? "‖" : html("i", {}, part[0]);
      return html("span", {}, letter, html("sub", {}, part.slice(2).replace(/[{}]/g, "")));
    });
}

/** @param {...(Node | string)} children */
export const panels = (...children) => html("div", { class: "panels" }, ...children);

/** @param {...Node} children */
export const controls = (...children) => html("div", { class: "controls" }, ...children);

/** @param {...(Node | string)} children */
export const note = (...children) => html("p", { class: "note" }, ...children);

/**
 * Creates a legend.
 * @param {...{colour?: string, kind?: string, text: string}} entries `kind`: how a colour is shown if not as a square
 */
export function legend(...entries) {
  const items = entries.map(({ colour, kind, text }) => {
    const sample = html("i", { class: kind, style: colour && `background:${colour}` });
    return html("li", {}, ...(colour || kind ? [sample] : []), text);
  });
  return html("ul", { class: "legend" }, ...items);
}

/**
 * Creates a list of facts.
 * @param {Record<string, string | Node>} facts
 */
export function factList(facts) {
  const rows = Object.entries(facts).flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value)]);
  return html("dl", {}, ...rows);
}

/** Creates a place for facts, which screen readers read out when it is filled anew. */
export const announced = () => html("div", { "aria-live": "polite" });

/**
 * Creates a table.
 * @param {string[]} header
 * @param {(string | Node)[][]} rows
 */
export function table(header, rows) {
  return html(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": `Table: ${header.join(", ")}` },
    html(
      "table",
      {},
      html("thead", {}, html("tr", {}, ...header.map((cell) => html("th", { scope: "col" }, cell)))),
      html("tbody", {}, ...rows.map((row) => html("tr", {}, ...row.map((cell) => html("td", {}, cell))))),
    ),
  );
}

/**
 * Creates a panel.
 * @param {string} title
 * @param {...(Node | string)} children
 */
export function panel(title, ...children) {
  return html("section", { class: "panel" }, html("h3", {}, ...prose(title)), ...children);
}

/**
 * Creates a panel that is twice as wide where there is room.
 * @param {string} title
 * @param {...(Node | string)} children
 */
export function widePanel(title, ...children) {
  const element = panel(title, ...children);
  element.classList.add("double");
  return element;
}

/** What the address says after `#`: the view, and its settings as in `#phase_2in1&r=0.5&density=0.1`. */
export class Address {
  constructor() {
    const [view, ...rest] = decodeURIComponent(location.hash.slice(1)).split("&");
    this.view = view;
    this.settings = readSettings(rest.join("&"));
  }

  /**
   * Returns a setting.
   * @param {string} key
   * @param {string} fallback
   */
  text(key, fallback) {
    return this.settings.get(key) ?? fallback;
  }

  /**
   * Returns a setting that is a number.
   * @param {string} key
   * @param {number} fallback
   */
  number(key, fallback) {
    const value = Number(this.settings.get(key) ?? fallback);
    return Number.isFinite(value) ? value : fallback;
  }

  /**
   * Returns the index of the value that is nearest to a setting.
   * @param {string} key
   * @param {number[]} values
   * @param {number} fallback
   */
  nearest(key, values, fallback) {
    return nearest(values, this.number(key, fallback));
  }

  /**
   * Changes settings, and soon the address.
   * @param {Record<string, string | number>} settings
   */
  set(settings) {
    for (const [key, value] of Object.entries(settings)) this.settings.set(key, String(value));
    // Browsers limit how often the address may change. A reader may have gone elsewhere since.
    clearTimeout(this.timer);
    const place = location.hash;
    this.timer = setTimeout(() => location.hash === place && history.replaceState(null, "", `#${this}`), 200);
  }

  toString() {
    return [this.view, ...[...this.settings].map(([key, value]) => `${key}=${value}`)].join("&").replaceAll(" ", "%20");
  }
}

/**
 * Reads settings such as `r=0.5&density=0.1`; URLSearchParams would read the + of a set as a space.
 * @param {string} text
 * @returns {Map<string, string>}
 */
export function readSettings(text) {
  const pairs = text.split("&").filter(Boolean);
  return new Map(pairs.map((pair) => [pair.split("=")[0], pair.split("=").slice(1).join("=")]));
}

/**
 * Returns the number of a range that is nearest to a number.
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * Returns the index of the nearest value, by ratio if all are positive.
 * @param {number[]} values
 * @param {number} value
 */
export function nearest(values, value) {
  const place = Math.min(...values, value) > 0 ? Math.log : (/** @type {number} */ v) => v;
  const distances = values.map((v) => Math.abs(place(v) - place(value)));
  return distances.indexOf(Math.min(...distances));
}
