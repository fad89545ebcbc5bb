// The page: reads the data, and shows the view that the address names.
import { showCurves } from "./curves.js";
import { showDimensionality } from "./dimensionality.js";
import { showLearning } from "./learning.js";
import { showLive } from "./live.js";
import { decompress } from "./models.js";
import { showNeurons } from "./neurons.js";
import { Address, html, prose, readSettings } from "./page.js";
import { showPhase } from "./phase.js";
import { showSweep } from "./sweep.js";

const data = await decompress(/** @type {HTMLElement} */ (document.getElementById("data")).textContent ?? "");
const LIVE = {
  kind: "live",
  figures: ["live"],
  title: "Train a model here",
  shows:
    "A model trains in this page, with the package's random numbers and the same steps: what you see is what Python " +
    "trains, to within rounding.",
};
/** @type {Record<string, import("./page.js").Show>} */
const SHOWN = {
  live: showLive,
  phase: showPhase,
  sweep: showSweep,
  dimensionality: showDimensionality,
  learning: showLearning,
  neurons: showNeurons,
  curves: showCurves,
};
const views = [LIVE, ...data.views];
const main = /** @type {HTMLElement} */ (document.querySelector("main"));
/** @type {(() => void) | void} ends the present view */
let leave;

/** Shows the view that the address names; any of its figures does. */
function show() {
  leave?.();
  const address = new Address();
  const view = views.find((v) => v.figures.includes(address.view)) ?? views[0];
  if (!address.view) address.view = view.figures[0];
  if (!address.settings.size) address.settings = readSettings(view.start ?? "");
  document.title = `${view.title} – Explorer`;
  const root = html("div");
  main.replaceChildren(
    html("h2", { id: "title" }, view.title),
    html("p", { class: "shows" }, ...prose(view.shows), ...(view === LIVE ? [] : reportLinks(view.figures))),
    root,
  );
  leave = SHOWN[view.kind](root, view, address, data);
  for (const link of document.querySelectorAll("nav a"))
    if (link.getAttribute("href") === `#${view.figures[0]}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  /** @type {HTMLSelectElement} */ (document.querySelector("nav select")).value = view.figures[0];
}

/**
 * Returns links to figures in the report.
 * @param {string[]} figures
 */
function reportLinks(figures) {
  const links = figures.map((name) => html("a", { href: `report.html#figure-${name}` }, name));
  return [" In the report: ", ...links.flatMap((link, k) => (k ? [", ", link] : [link])), "."];
}

/** Fills the navigation: links, and a list for narrow screens. */
function navigate() {
  const nav = /** @type {HTMLElement} */ (document.querySelector("nav"));
  const options = views.map((view) => html("option", { value: view.figures[0] }, view.title));
  const select = html("select", { "aria-label": "View", onchange: () => (location.hash = select.value) }, ...options);
  nav.append(...views.map((view) => html("a", { href: `#${view.figures[0]}` }, view.title)), select);
}

navigate();
show();
addEventListener("hashchange", () => {
  show();
  main.focus();
});
