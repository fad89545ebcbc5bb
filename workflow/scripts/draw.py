"""Draws figures from their tables."""

import importlib

import matplotlib

from superposition import files
from superposition.errors import named
from superposition.jobs import reporting, without

with without("scipy"):  # with which seaborn clusters and integrates densities: nothing that a figure here has
    from superposition import plotting

matplotlib.use("Agg")  # files, no windows
with reporting(snakemake.log[0]):
    stage = importlib.import_module(f"superposition.paper.{snakemake.params.section}.draw")
    made = snakemake.output
    for name, tables, *paths in zip(snakemake.params.figures, snakemake.input.tables, made.svg, made.png, strict=True):
        with named(name):
            plotting.save(stage.draw(name, files.read(tables)), *paths)
