"""Train experiments or one part of an experiment, or gather the parts: sweeps to weights."""

import json

from superposition.core.errors import error_context
from superposition.core.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.pipeline.jobs import job_log
from superposition.training.runner import train

with job_log(snakemake.log[0]):
    if parts := snakemake.input.get("parts"):
        SweepResult.gather([SweepResult.load(path) for path in parts]).save(snakemake.output[0])
    else:
        part = int(snakemake.wildcards.get("part", 1)), int(snakemake.wildcards.get("parts", 1))
        for (name, spec), path in zip(snakemake.params.sweeps.items(), snakemake.output, strict=True):
            sweep = Sweep.parse(json.loads(spec), name)
            with error_context(name):
                train(sweep, snakemake.params.device, snakemake.threads, part=part, label=name).save(path)
