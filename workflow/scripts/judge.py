"""Judge the claims of all sections from the tables of their figures."""

import importlib
from pathlib import Path

import pandas as pd

from superposition.core.errors import SuperpositionError
from superposition.pipeline import files
from superposition.pipeline.jobs import job_log

with job_log(snakemake):
    tables, verdicts = {Path(folder).name: folder for folder in snakemake.input.tables}, []
    for section, figures in snakemake.params.sections.items():
        claims = importlib.import_module(f"superposition.paper.{section}.judge").claims
        # The report would not show a claim about a figure of another section.
        if misplaced := next((claim for claim in claims if claim.figure not in figures), None):
            raise SuperpositionError(
                f"{misplaced.id}: unknown figure {misplaced.figure!r}, allowed are {', '.join(figures)}"
            )
        measured = {figure: files.read(tables[figure]) for figure in figures}
        verdicts.append(claims.table(measured, snakemake.params.scale))
    pd.concat(verdicts).to_csv(snakemake.output[0], index=False)
