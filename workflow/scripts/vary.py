"""Judges claims of a section again, with models that were trained in other ways."""

import importlib
import json

from superposition.core.sweep import Sweep
from superposition.pipeline.jobs import reporting
from superposition.pipeline.sensitivity import verdicts

with reporting(snakemake.log[0]):
    section = f"superposition.paper.{snakemake.wildcards.section}"
    measuring, judging = (importlib.import_module(f"{section}.{stage}") for stage in ("measure", "judge"))
    figures = {
        figure: {name: Sweep.parse(json.loads(spec)) for name, spec in sweeps.items()}
        for figure, sweeps in snakemake.params.sweeps.items()
    }
    claims = judging.claims.named(snakemake.params.claims)
    table = verdicts(claims, measuring.measure, figures, snakemake.params.device, snakemake.threads)
    table.to_csv(snakemake.output[0], index=False)
