"""Measure the trained models of a figure, and the best known ones if it needs them: weights to tables."""

from pathlib import Path

from superposition.core.weights import SweepResult
from superposition.pipeline import files, stages
from superposition.pipeline.jobs import job_log

with job_log(snakemake):
    measure = stages.find(snakemake.params.section, "measure", snakemake.wildcards.figure)
    models = [{Path(path).stem: SweepResult.load(path) for path in snakemake.input.weights}]
    if names := snakemake.params.best:
        paths = {path.stem: path for folder in snakemake.input.best for path in Path(folder).glob("*.safetensors")}
        models.append({name: SweepResult.load(paths[name]) for name in names})
    files.write(measure(*models), snakemake.output[0])
