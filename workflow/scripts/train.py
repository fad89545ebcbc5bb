"""Train an experiment or one part of it, or gather the parts: a sweep to weights."""

import json

from superposition.core.errors import error_context
from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.pipeline.jobs import job_log
from superposition.training.runner import train

with job_log(snakemake), error_context(snakemake.wildcards.experiment):
    if parts := snakemake.input.get("parts"):
        result = SweepResult.gather([SweepResult.load(path) for path in parts])
    else:
        sweep = Sweep.parse(json.loads(snakemake.params.sweep), snakemake.wildcards.experiment)
        part = int(snakemake.wildcards.get("part", 1)), int(snakemake.wildcards.get("parts", 1))
        label = " ".join(snakemake.wildcards)  # The panel finds the bar of a job by it.
        result = train(sweep, snakemake.params.device, snakemake.threads, part=part, label=label)
    result.save(snakemake.output[0])
