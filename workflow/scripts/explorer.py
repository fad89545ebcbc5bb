"""Make the explorer from the weights and the tables of a run."""

from pathlib import Path

from superposition.pipeline.configuration.config import Config
from superposition.pipeline.explorer.page import collect, render
from superposition.pipeline.jobs import job_log

with job_log(snakemake):
    page = Path(snakemake.output[0])
    data = collect(page.parent, Config.parse(snakemake.params.config))
    page.write_text(render(data, Path(snakemake.input.template)), encoding="utf-8")
