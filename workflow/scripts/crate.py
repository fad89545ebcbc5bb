"""Write the record of the run, which makes the results an RO-Crate."""

from pathlib import Path

from superposition.pipeline.config import Config
from superposition.pipeline.jobs import job_log
from superposition.pipeline.provenance import Code, build_crate

with job_log(snakemake.log[0]):
    config = Config.parse(snakemake.params.config)
    results = Path(snakemake.output.record).parent
    code = Code(snakemake.input.workflow, snakemake.input.configs, snakemake.params.scripts, snakemake.params.modules)
    build_crate(results, config, code).write(results)
