"""Toy Models of Superposition, replicated: `snakemake --cores all` makes every figure, the claims and the report."""

import glob
import importlib
import os
import shutil
import sys

from filelock import FileLock, Timeout
from snakemake.utils import min_version

min_version("9.27")


# Named because `snakemake --lint` wants one; the environment is that of requirements.txt, see the README.
container: "docker://python:3.11"


report: "workflow/report/workflow.rst"


# The package of this checkout, here and in every job, whatever else is installed.
sys.path[:0] = [workflow.basedir, f"{workflow.basedir}/src"]
os.environ.update(PYTHONPATH=f"{workflow.basedir}/src")

from superposition.core.errors import SuperpositionError
from superposition.pipeline.config import STAGES, Config
from superposition.pipeline.configfile import check_file
from superposition.pipeline.scheduling import batches, groups
from workflow.sources import sources
from workflow.times import present

try:
    for file in ("config.yaml", *workflow.overwrite_configfiles):
        check_file(file)
except SuperpositionError as error:
    sys.exit(f"error: {error}")


configfile: "config.yaml"


try:
    CONFIG = Config.parse(config)
except SuperpositionError as error:
    sys.exit(f"error: {error}")

OUT = f"results/{CONFIG.scale}"
LOCK = FileLock(f"{OUT}/.lock")


onstart:
    # One run at a time. Unlike Snakemake's own lock, this one goes with the process that held it, however it ended.
    try:
        os.makedirs(OUT, exist_ok=True)
        LOCK.acquire(blocking=False)
    except Timeout:
        sys.exit(f"error: another run is at work in {OUT}; wait for it to end")
    except OSError as error:
        sys.exit(f"error: {error}")
    # Snakemake throws away what it finds older than its input, as after a clock was set back.
    present(
        *map(str, workflow.configfiles),
        "Snakefile",
        "requirements.txt",
        "src/**",
        "workflow/**",
        "report/**",
        f"{OUT}/**",
    )
    # Found before any job starts: a claim that there is not; a device that is not there, but on a cluster, where only the
    # nodes can tell.
    try:
        for section, names in CONFIG.sensitivity.items():
            importlib.import_module(f"superposition.paper.{section}.judge").claims.named(names)
        if CONFIG.device == "cuda" and workflow.local_exec:
            from superposition.training.devices import resolve_device

            resolve_device(CONFIG.device)
    except SuperpositionError as error:
        sys.exit(f"error: config.{error}")
    # To keep to a rate of new jobs, which only a cluster needs, Snakemake looks for jobs again a second after it has looked,
    # and once more whenever one has ended: after a hundred of them that takes a quarter of a core.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


include: "workflow/rules/common.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/draw.smk"
include: "workflow/rules/judge.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/crate.smk"


rule all:
    default_target: True
    input:
        expand(f"{OUT}/figures/{{figure}}.{{format}}", figure=CONFIG.figures, format=["svg", "png"]),
        expand(f"{OUT}/figures/{{figure}}.gif", figure=CONFIG.animated()),
        f"{OUT}/claims.csv",
        f"{OUT}/report.html",
        f"{OUT}/ro-crate-metadata.json",
