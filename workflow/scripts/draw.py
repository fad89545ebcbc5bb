"""Draws a figure from its tables."""

import importlib

import matplotlib

from superposition import files
from superposition.jobs import reporting, without

with without("scipy"):  # with which seaborn clusters and integrates densities: nothing that a figure here has
    from superposition import plotting

matplotlib.use("Agg")  # files, no windows
with reporting(snakemake.log[0]):
    stage = importlib.import_module(f"superposition.paper.{snakemake.params.section}.draw")
    figure = stage.draw(snakemake.wildcards.figure, files.read(snakemake.input.tables))
    plotting.save(figure, *snakemake.output)
