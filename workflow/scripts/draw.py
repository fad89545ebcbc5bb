"""Draw figures from their tables."""

import matplotlib

from superposition.core.errors import error_context
from superposition.pipeline import files, stages
from superposition.pipeline.jobs import hide_package, job_log

# seaborn imports scipy for cluster maps and density estimates, which no figure uses; this halves the start-up time.
with hide_package("scipy"):
    from superposition.plotting import style

# Draw to files without a display.
matplotlib.use("Agg")
with job_log(snakemake.log[0]):
    sections, output = snakemake.params.sections, snakemake.output
    for figure, tables, *paths in zip(sections, snakemake.input.tables, output.svg, output.png, strict=True):
        with error_context(figure):
            draw = stages.find(sections[figure], "draw", figure)
            style.save(draw(files.read(tables)), *paths)
