"""Draws figures from their tables."""

import importlib

import matplotlib

from superposition.core.errors import error_context
from superposition.pipeline import files
from superposition.pipeline.jobs import reporting, without

with without("scipy"):  # with which seaborn clusters and integrates densities: nothing that a figure here has
    from superposition.plotting import style

matplotlib.use("Agg")  # files, no windows
with reporting(snakemake.log[0]):
    sections, made = snakemake.params.sections, snakemake.output
    for figure, tables, *paths in zip(sections, snakemake.input.tables, made.svg, made.png, strict=True):
        with error_context(figure):
            stage = importlib.import_module(f"superposition.paper.{sections[figure]}.draw")
            style.save(stage.draw(figure, files.read(tables)), *paths)
