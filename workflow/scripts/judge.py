"""Judges the claims of a section from the tables of its figures."""

import importlib

from superposition import files
from superposition.jobs import reporting

with reporting(snakemake.log[0]):
    stage = importlib.import_module(f"superposition.paper.{snakemake.wildcards.section}.judge")
    measured = {f: files.read(t) for f, t in zip(snakemake.params.figures, snakemake.input.tables, strict=True)}
    stage.claims.table(measured, snakemake.params.scale).to_csv(snakemake.output[0], index=False)
