"""Write the record of the run, which makes the results an RO-Crate."""

from pathlib import Path

from superposition.pipeline.configuration.config import Config
from superposition.pipeline.jobs import job_log
from superposition.pipeline.record.history import trace_jobs
from superposition.pipeline.record.provenance import build_crate

with job_log(snakemake):
    files, params = snakemake.input, snakemake.params
    results = Path(snakemake.output.record).parent
    jobs = trace_jobs(results, files.results)
    code = files.workflow, files.configs, params.scripts
    build_crate(results, Config.parse(params.config), files.results, jobs, *code).write(results)
