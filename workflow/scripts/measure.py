"""Measure the trained models of a figure: weights to tables."""

from pathlib import Path

from superposition.core.weights import SweepResult
from superposition.pipeline import files, stages
from superposition.pipeline.jobs import job_log

with job_log(snakemake):
    measure = stages.find(snakemake.params.section, "measure", snakemake.wildcards.figure)
    trained = {Path(path).stem: SweepResult.load(path) for path in snakemake.input.weights}
    files.write(measure(trained), snakemake.output[0])
