"""Search for the best models of a family of experiments: weights to better weights, and a certificate."""

from pathlib import Path

from superposition.core.errors import error_context
from superposition.core.weights import SweepResult
from superposition.pipeline.jobs import job_log
from superposition.search.certificate import find_best

with job_log(snakemake), error_context(snakemake.wildcards.family):
    trained = {Path(path).stem: SweepResult.load(path) for path in snakemake.input.weights}
    found, folder = find_best(trained, snakemake.threads), Path(snakemake.output[0])
    folder.mkdir()
    for name, best in found.items():
        best.models.save(folder / f"{name}.safetensors")
        best.table.to_csv(folder / f"{name}.csv", index=False)
