"""Judges the claims of a section from the tables of its figures."""

import importlib
from pathlib import Path

from superposition import tables
from superposition.errors import reporting

with reporting(snakemake.log[0]):
    section = importlib.import_module(f"superposition.paper.{snakemake.wildcards.section}")
    measured = {Path(folder).name: tables.read(folder) for folder in snakemake.input.tables}
    section.claims.table(measured, snakemake.params.scale).to_csv(snakemake.output[0], index=False)
