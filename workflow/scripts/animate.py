"""Make the animation of a figure from its tables."""

import matplotlib

from superposition.pipeline import files, stages
from superposition.pipeline.jobs import job_log
from superposition.plotting import style

# Draw to files without a display.
matplotlib.use("Agg")
with job_log(snakemake):
    animate = stages.find(snakemake.params.section, "draw", f"animate_{snakemake.wildcards.figure}")
    style.save_animation(animate(files.read(snakemake.input.tables[0])), snakemake.output[0])
