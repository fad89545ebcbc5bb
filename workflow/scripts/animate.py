"""Make the animation of a figure from its tables."""

import importlib

import matplotlib

from superposition.pipeline import files
from superposition.pipeline.jobs import hide_package, job_log

# As in draw.py.
with hide_package("scipy"):
    from superposition.plotting import style

# Draw to files without a display.
matplotlib.use("Agg")
with job_log(snakemake.log[0]):
    stage = importlib.import_module(f"superposition.paper.{snakemake.params.section}.draw")
    animation = stage.animate(snakemake.wildcards.figure, files.read(snakemake.input.tables))
    style.save_animation(animation, snakemake.output[0])
