// Curves: charts over one or two quantities, with the values of all lines at any place.
import { Slider, showChosen } from "./controls.js";
import { announced, controls, format, nearest, panel, panels, table } from "./page.js";
import { AXIS_NAMES, drawChart, place } from "./sweep.js";

/**
 * Shows sets of charts, one set at a time.
 * @type {import("./page.js").Show}
 */
export const showCurves = (root, { sweeps }, address) =>
  showChosen(root, sweeps, ({ title }) => title, address, (name) => chartParts(sweeps[name], address));

/**
 * Returns a slider for every axis of some charts, and the charts.
 * @param {{axes: [string, number[]][], charts: any[]}} set
 * @param {import("./page.js").Address} address
 */
function chartParts({ axes, charts }, address) {
  const index = Object.fromEntries(axes.map(([name, values]) => [name, place(name, values, address)]));
  const move = (/** @type {string} */ axis, /** @type {number} */ to) => sliders[axis].move(to);
  const shown = charts.map((given) => {
    const xs = /** @type {[string, number[]]} */ (axes.find(([name]) => name === given.axis))[1];
    const drawn = drawChart(given, { axes }, AXIS_NAMES, index, move);
    const values = announced();
    const mark = () => {
      drawn.mark();
      const at = xs[index[given.axis]];
      const rows = given.lines.map((/** @type {any} */ { name, x, y }) => [name, format(y[nearest(x, at)])]);
      values.replaceChildren(table(["line", given.y], rows));
    };
    mark();
    return { axis: given.axis, mark, element: panel(given.title, drawn.element, values) };
  });
  /** @type {Record<string, Slider>} */
  const sliders = {};
  for (const [name, values] of axes)
    sliders[name] = new Slider(AXIS_NAMES[name], values, index[name], (at) => {
      index[name] = at;
      address.set({ [name]: values[at] });
      for (const { axis, mark } of shown) if (axis === name) mark();
    });
  return [controls(...axes.map(([name]) => sliders[name].element)), panels(...shown.map(({ element }) => element))];
}
