"""Judges the claims of a section from the tables of its figures."""

import importlib

from superposition import tables
from superposition.errors import reporting

with reporting(snakemake.log[0]):
    section = importlib.import_module(f"superposition.paper.{snakemake.wildcards.section}")
    measured = {f: tables.read(t) for f, t in zip(snakemake.params.figures, snakemake.input.tables, strict=True)}
    section.claims.table(measured, snakemake.params.scale).to_csv(snakemake.output[0], index=False)
