"""Measure the trained models of figures: weights to tables."""

import importlib
from pathlib import Path

from superposition.core.errors import error_context
from superposition.core.weights import SweepResult
from superposition.pipeline import files
from superposition.pipeline.jobs import job_log

with job_log(snakemake.log[0]):
    weights = {Path(path).stem: path for path in snakemake.input.weights}
    best = {path.stem: path for folder in snakemake.input.best for path in Path(folder).glob("*.safetensors")}
    for (figure, experiments), folder in zip(snakemake.params.experiments.items(), snakemake.output, strict=True):
        with error_context(figure):
            stage = importlib.import_module(f"superposition.paper.{snakemake.params.sections[figure]}.measure")
            models = {name: SweepResult.load(weights[name]) for name in experiments}
            known = {f"best_{name}": SweepResult.load(best[name]) for name in snakemake.params.best[figure]}
            tables = stage.measure(figure, models | known)
            files.write(tables, folder)
