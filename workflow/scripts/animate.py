"""Makes the animation of a figure from its tables."""

import importlib

import matplotlib
from matplotlib.animation import PillowWriter

from superposition import files
from superposition.jobs import reporting

matplotlib.use("Agg")  # files, no windows
with reporting(snakemake.log[0]):
    stage = importlib.import_module(f"superposition.paper.{snakemake.params.section}.draw")
    animation = stage.animate(snakemake.wildcards.figure, files.read(snakemake.input.tables))
    with matplotlib.rc_context({"figure.constrained_layout.use": False}):  # or each frame is laid out as it is saved
        animation.save(snakemake.output[0], PillowWriter(fps=8), dpi=100)
