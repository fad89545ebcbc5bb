"""The page: its views, and its data, styles and scripts in one file."""

import re
from pathlib import Path
from typing import Any

import jinja2
from mpld3.urls import D3_LOCAL

from superposition.pipeline.configuration.config import Config
from superposition.pipeline.explorer.addresses import SETTINGS, custom_figures, paper_figures
from superposition.pipeline.explorer.packing import columns, compress
from superposition.pipeline.explorer.run import Run
from superposition.pipeline.explorer.views import VIEWS
from superposition.pipeline.explorer.views.models import show_sweeps


def collect(results: Path, config: Config) -> dict[str, Any]:
    """Return everything that the page shows: its views, and what the live view compares models with.

    Args:
        results: The results folder, such as ``results/paper``.
        config: The configuration of the run.
    """
    run = Run(results, config)
    views = []
    for shown in paper_figures(config):
        figure = config.figures[shown[0]]
        heading = {"figures": shown, "title": figure.title, "shows": figure.shows, "start": SETTINGS[shown[0]]}
        views.append(heading | VIEWS[shown[0]](run, shown[0]))
    for name, figures in custom_figures(config).items():
        views.append({"figures": figures, "title": f"{name}, a custom sweep", "shows": ""} | show_sweeps(run, name))
    best = run.table("polytopes", "models") if "polytopes" in config.figures else None
    products = None if best is None else columns(best[["n", "m", "density", "best_loss"]])
    return {"scale": config.scale, "views": views, "products": products}


def render(data: dict[str, Any], template: Path) -> str:
    """Put the data, and the styles and scripts beside the template, into the template."""
    folder = template.parent
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        scale=data["scale"],
        style=(folder / "style.css").read_text(encoding="utf-8"),
        script=bundle(folder / "main.js"),
        worker=bundle(folder / "worker.js"),
        data=compress(data),
    )


def bundle(entry: Path) -> str:
    """Join an ES module and the modules that it imports into one script; no two may use the same top-level name."""
    found: dict[str, str] = {}

    def add(path: Path) -> None:
        source = path.read_text(encoding="utf-8")
        pattern = r'^import (?:\{[^}]*\}|\* as d3) from "(?:\./)?([a-z0-9.]+)";\n'
        for name in re.findall(pattern, source, re.MULTILINE):
            if name == "d3":
                # D3 is not an ES module. As a method of the global object it defines the global name `d3`.
                found[name] = f"(function () {{\n{Path(D3_LOCAL).read_text(encoding='utf-8')}}}).call(globalThis);"
            elif name not in found:
                add(path.parent / name)
        found[path.name] = re.sub(r"^export ", "", re.sub(pattern, "", source, flags=re.MULTILINE), flags=re.MULTILINE)

    add(entry)
    return "\n".join(found.values())
