"""Writes the record of the run: makes the results an RO-Crate."""

from pathlib import Path

from superposition.pipeline.config import Config
from superposition.pipeline.jobs import reporting
from superposition.pipeline.provenance import Code, crate

with reporting(snakemake.log[0]):
    config = Config.parse(snakemake.params.config)
    results = Path(snakemake.output.record).parent
    code = Code(snakemake.input.workflow, snakemake.input.configs, snakemake.params.scripts, snakemake.params.modules)
    crate(results, config, code).write(results)
