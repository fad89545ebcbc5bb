"""Makes the animation of a figure from its tables."""

import importlib

import matplotlib

from superposition.pipeline import files
from superposition.pipeline.jobs import reporting, without

with without("scipy"):  # as in draw.py
    from superposition.plotting import style

matplotlib.use("Agg")  # files, no windows
with reporting(snakemake.log[0]):
    stage = importlib.import_module(f"superposition.paper.{snakemake.params.section}.draw")
    animation = stage.animate(snakemake.wildcards.figure, files.read(snakemake.input.tables))
    style.save_animation(animation, snakemake.output[0])
