"""Judge claims of a section again with models trained under other configurations."""

import json

from superposition.core.experiment.sweep import Sweep
from superposition.pipeline import stages
from superposition.pipeline.jobs import job_log
from superposition.pipeline.judging.sensitivity import judge_variants

with job_log(snakemake):
    section, figures = snakemake.wildcards.section, snakemake.params.sweeps
    claims = stages.find(section, "judge", "claims").find(snakemake.params.claims)
    measures = {figure: stages.find(section, "measure", figure) for figure in figures}
    sweeps = {
        figure: {name: Sweep.parse(json.loads(spec)) for name, spec in specs.items()}
        for figure, specs in figures.items()
    }
    table = judge_variants(claims, measures, sweeps, snakemake.params.device, snakemake.threads)
    table.to_csv(snakemake.output[0], index=False)
