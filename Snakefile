"""Toy Models of Superposition, replicated: `snakemake --cores all` makes every figure, the claims and the report."""

import os
import sys

from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


container: "docker://condaforge/miniforge3"


# The package of this checkout, here and in every job, whatever else is installed.
sys.path[:0] = [workflow.basedir, f"{workflow.basedir}/src"]
os.environ["PYTHONPATH"] = f"{workflow.basedir}/src"

from superposition.config import Config
from superposition.errors import SuperpositionError
from workflow.sources import sources

try:
    CONFIG = Config.parse(config)
except SuperpositionError as error:
    sys.exit(f"error: {error}")

OUT = f"results/{CONFIG.scale}"


include: "workflow/rules/train.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/draw.smk"
include: "workflow/rules/judge.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        expand(f"{OUT}/figures/{{figure}}.{{format}}", figure=CONFIG.figures, format=["svg", "png"]),
        f"{OUT}/claims.csv",
        f"{OUT}/report.html",
