"""Toy Models of Superposition, replicated: `snakemake --cores all` makes every figure, the claims and the report."""

import functools
import gc
import glob
import importlib.metadata
import os
import shutil
import sys
from pathlib import Path

from filelock import FileLock, Timeout
from snakemake.utils import min_version

# Search for garbage only among what is made from here on, not among all that Snakemake imported: that takes a quarter of
# the time in which it plans a run.
gc.freeze()

min_version("9.27")


report: "workflow/report/workflow.rst"


# Here and in every job, import the package from this checkout, whatever else is installed.
sys.path[:0] = [workflow.basedir, f"{workflow.basedir}/src"]
os.environ.update(PYTHONPATH=f"{workflow.basedir}/src")

from superposition.core.errors import SuperpositionError
from superposition.pipeline import stages
from superposition.pipeline.configuration.config import Config
from workflow.configfile import check_file
from workflow.panel import improve_panel
from workflow.sources import sources
from workflow.times import clamp_future_mtimes

improve_panel(workflow.logger_manager.get_log_handlers())

# Check the files before Snakemake reads them: it would answer to a broken one with a traceback.
try:
    for file in ("config.yaml", *workflow.overwrite_configfiles):
        check_file(file)
except SuperpositionError as error:
    sys.exit(f"error: {error}")


configfile: "config.yaml"


SETTINGS = dict(config)
try:
    CONFIG = Config.parse(SETTINGS)
except SuperpositionError as error:
    sys.exit(f"error: {error}")

OUT = f"results/{CONFIG.scale}"
LOCK = FileLock(f"{OUT}/.lock")


onstart:
    # Allow one run at a time. Unlike Snakemake's own lock, this one is released however the process ends.
    try:
        os.makedirs(OUT, exist_ok=True)
        LOCK.acquire(blocking=False)
    except Timeout:
        sys.exit(f"error: another run is at work in {OUT}; wait for it to end")
    except OSError as error:
        sys.exit(f"error: {error}")
    # Snakemake deletes outputs that appear older than their inputs, as they do after a clock was set back.
    clamp_future_mtimes(
        *map(str, workflow.configfiles),
        "Snakefile",
        "requirements.txt",
        "src/**",
        "workflow/**",
        "report/**",
        f"{OUT}/**",
    )
    # Report an unknown claim or a missing device before any job starts. On a cluster only the nodes know their devices.
    try:
        for section, claim_ids in CONFIG.sensitivity.items():
            stages.find(section, "judge", "claims").find(claim_ids)
        if CONFIG.device == "cuda" and workflow.local_exec:
            from superposition.training.devices import resolve_device

            resolve_device(CONFIG.device)
    except SuperpositionError as error:
        sys.exit(f"error: config.{error}")
    # The limit of 100 jobs per second is for clusters. With it, every look at the jobs leads to another one a second later,
    # so that after a hundred jobs Snakemake looks a hundred times per second, and needs a core for that.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


include: "workflow/rules/common.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/draw.smk"
include: "workflow/rules/judge.smk"
include: "workflow/rules/robustness.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/explorer.smk"
include: "workflow/rules/crate.smk"


rule all:
    default_target: True
    input:
        expand(f"{OUT}/figures/{{figure}}.{{format}}", figure=CONFIG.figures, format=["svg", "png"]),
        expand(f"{OUT}/figures/{{figure}}.gif", figure=CONFIG.animated()),
        f"{OUT}/claims.csv",
        f"{OUT}/optimality.csv",
        f"{OUT}/report.html",
        f"{OUT}/explorer.html",
        f"{OUT}/ro-crate-metadata.json",
