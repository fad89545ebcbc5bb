"""Judges the claims of a section from the tables of its figures."""

import importlib

from superposition import files
from superposition.errors import SuperpositionError
from superposition.jobs import reporting

with reporting(snakemake.log[0]):
    stage = importlib.import_module(f"superposition.paper.{snakemake.wildcards.section}.judge")
    measured = {f: files.read(t) for f, t in zip(snakemake.params.figures, snakemake.input.tables, strict=True)}
    if lost := [claim for claim in stage.claims if claim.figure not in measured]:
        raise SuperpositionError(f"{lost[0].id}: unknown figure {lost[0].figure!r}, allowed are {', '.join(measured)}")
    stage.claims.table(measured, snakemake.params.scale).to_csv(snakemake.output[0], index=False)
