"""Judge claims of a section again with models trained under other configurations."""

import importlib
import json

from superposition.core.sweep import Sweep
from superposition.pipeline.jobs import job_log
from superposition.pipeline.sensitivity import judge_variants

with job_log(snakemake):
    section = f"superposition.paper.{snakemake.wildcards.section}"
    measure, judge = (importlib.import_module(f"{section}.{stage}") for stage in ("measure", "judge"))
    figures = {
        figure: {name: Sweep.parse(json.loads(spec)) for name, spec in sweeps.items()}
        for figure, sweeps in snakemake.params.sweeps.items()
    }
    claims = judge.claims.find(snakemake.params.claims)
    table = judge_variants(claims, measure.measure, figures, snakemake.params.device, snakemake.threads)
    table.to_csv(snakemake.output[0], index=False)
