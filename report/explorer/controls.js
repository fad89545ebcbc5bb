// Controls: sliders that can be played, choices and fields.
import { clamp, controls, format, html } from "./page.js";

/** Milliseconds in which a slider plays from its first to its last value, unless that would be too fast or too slow. */
const PLAYING_TIME = 8000;
/** Milliseconds for which a value is shown, at least and at most. */
const PACE = [60, 1000];

/** A slider over a list of values, with a button that plays them. */
export class Slider {
  /**
   * @param {string} label
   * @param {any[]} values
   * @param {number} index the value at first
   * @param {(index: number) => void} change
   * @param {(value: any) => string} [text]
   */
  constructor(label, values, index, change, text = (value) => format(value)) {
    this.last = values.length - 1;
    this.shown = html("output", {}, text(values[index]));
    // The output is inside the label, too, so that the label alone would not name the slider.
    const spoken = { "aria-label": label, "aria-valuetext": text(values[index]) };
    this.input = html("input", { type: "range", min: 0, max: this.last, ...spoken });
    this.input.value = String(index);
    this.input.addEventListener("input", () => {
      this.shown.textContent = text(values[this.index]);
      this.input.setAttribute("aria-valuetext", this.shown.textContent);
      change(this.index);
    });
    this.button = html("button", { type: "button", onclick: () => (this.timer ? this.stop() : this.play()) });
    this.label = label;
    this.name("Play");
    this.element = html(
      "div",
      { class: "slider" },
      html("label", {}, html("span", {}, label, " ", this.shown), this.input),
      this.button,
    );
  }

  get index() {
    return Number(this.input.value);
  }

  /**
   * Moves to a value, and with it everything that the slider changes.
   * @param {number} index
   */
  move(index) {
    this.input.value = String(index);
    this.input.dispatchEvent(new Event("input"));
  }

  /** Moves through the values, from the present one or from the first if it is the last. */
  play() {
    if (this.index === this.last) this.move(0);
    const shown = clamp(PLAYING_TIME / this.last, PACE[0], PACE[1]);
    this.timer = setInterval(() => {
      if (this.element.isConnected && this.index < this.last) this.move(this.index + 1);
      else this.stop();
    }, shown);
    this.name("Pause");
  }

  stop() {
    clearInterval(this.timer);
    this.timer = undefined;
    this.name("Play");
  }

  /**
   * Names the button by what it does next.
   * @param {string} action
   */
  name(action) {
    this.button.textContent = action;
    this.button.setAttribute("aria-label", `${action}: ${this.label}`);
  }
}

/**
 * Creates a choice between options.
 * @param {string} label
 * @param {[string, string][]} options values and their texts
 * @param {string} value the value at first
 * @param {(value: string) => void} change
 */
export function choice(label, options, value, change) {
  const items = options.map(([key, text]) => html("option", { value: key, selected: key === value }, text));
  const select = html("select", { onchange: () => change(select.value) }, ...items);
  return html("label", {}, html("span", {}, label), select);
}

/**
 * Shows one of several sweeps, which are chosen from a list if there are several.
 * @param {HTMLElement} root
 * @param {Record<string, any>} sweeps
 * @param {(sweep: any) => string} title
 * @param {import("./page.js").Address} address
 * @param {(name: string) => Node[]} show returns what is shown of a sweep
 */
export function showChosen(root, sweeps, title, address, show) {
  const names = Object.keys(sweeps);
  const asked = address.text("sweep", names[0]);
  const body = html("div");
  const draw = (/** @type {string} */ name) => body.replaceChildren(...show(name));
  if (names.length > 1) {
    const options = names.map((name) => /** @type {[string, string]} */ ([name, title(sweeps[name])]));
    const change = (/** @type {string} */ name) => {
      address.set({ sweep: name });
      draw(name);
    };
    root.append(controls(choice("models", options, asked, change)));
  }
  root.append(body);
  draw(names.includes(asked) ? asked : names[0]);
}

/**
 * Creates a field for a text or a number.
 * @param {string} label
 * @param {string | number} value
 * @param {(value: string) => void} change
 * @param {Record<string, any>} [attributes]
 */
export function field(label, value, change, attributes = {}) {
  const input = html("input", { type: "text", size: 8, ...attributes, value, onchange: () => change(input.value) });
  return html("label", {}, html("span", {}, label), input);
}
