"""Draw a figure from its tables."""

import importlib

import matplotlib

from superposition.pipeline import files
from superposition.pipeline.jobs import job_log
from superposition.plotting import style

# Draw to files without a display.
matplotlib.use("Agg")
with job_log(snakemake):
    stage = importlib.import_module(f"superposition.paper.{snakemake.params.section}.draw")
    figure = stage.draw(snakemake.wildcards.figure, files.read(snakemake.input.tables[0]))
    style.save(figure, snakemake.output.svg, snakemake.output.png)
