"""Draws a figure from its tables."""

import importlib

import matplotlib

from superposition import plotting, tables
from superposition.errors import reporting

matplotlib.use("Agg")  # files, no windows
with reporting(snakemake.log[0]):
    section = importlib.import_module(f"superposition.paper.{snakemake.params.section}")
    figure = section.draw(snakemake.wildcards.figure, tables.read(snakemake.input.tables))
    plotting.save(figure, *snakemake.output)
