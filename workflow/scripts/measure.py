"""Measure the trained models of a figure: weights to tables."""

import importlib
from pathlib import Path

from superposition.core.weights import SweepResult
from superposition.pipeline import files
from superposition.pipeline.jobs import job_log

with job_log(snakemake):
    stage = importlib.import_module(f"superposition.paper.{snakemake.params.section}.measure")
    trained = {Path(path).stem: SweepResult.load(path) for path in snakemake.input.weights}
    files.write(stage.measure(snakemake.wildcards.figure, trained), snakemake.output[0])
