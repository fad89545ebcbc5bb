"""Make the animation of a figure from its tables."""

import matplotlib

from superposition.pipeline import files, stages
from superposition.pipeline.jobs import hide_package, job_log

# As in draw.py.
with hide_package("scipy"):
    from superposition.plotting import style

# Draw to files without a display.
matplotlib.use("Agg")
with job_log(snakemake.log[0]):
    animate = stages.find(snakemake.params.section, "draw", f"animate_{snakemake.wildcards.figure}")
    style.save_animation(animate(files.read(snakemake.input.tables)), snakemake.output[0])
