"""Draw a figure from its tables."""

import matplotlib

from superposition.pipeline import files, stages
from superposition.pipeline.jobs import job_log
from superposition.plotting import style

# Draw to files without a display.
matplotlib.use("Agg")
with job_log(snakemake):
    draw = stages.find(snakemake.params.section, "draw", snakemake.wildcards.figure)
    style.save(draw(files.read(snakemake.input.tables[0])), snakemake.output.svg, snakemake.output.png)
