"""Measure the trained models of figures: weights to tables."""

from pathlib import Path

from superposition.core.errors import error_context
from superposition.core.weights import SweepResult
from superposition.pipeline import files, stages
from superposition.pipeline.jobs import job_log

with job_log(snakemake.log[0]):
    weights = {Path(path).stem: path for path in snakemake.input.weights}
    for (figure, experiments), folder in zip(snakemake.params.experiments.items(), snakemake.output, strict=True):
        with error_context(figure):
            measure = stages.find(snakemake.params.sections[figure], "measure", figure)
            files.write(measure({name: SweepResult.load(weights[name]) for name in experiments}), folder)
