"""Writes the record of the run: makes the results an RO-Crate."""

from pathlib import Path

from superposition.config import Config
from superposition.jobs import reporting
from superposition.provenance import Code, crate

with reporting(snakemake.log[0]):
    config = Config.parse(snakemake.params.config)
    results = Path(snakemake.output.record).parent
    code = Code(snakemake.input.workflow, snakemake.input.configs, snakemake.params.scripts, snakemake.params.modules)
    crate(results, config, code).write(results)
