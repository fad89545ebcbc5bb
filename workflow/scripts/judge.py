"""Judge the claims of all sections from the tables of their figures: tables to verdicts and criteria."""

from pathlib import Path

import pandas as pd

from superposition.core.errors import SuperpositionError
from superposition.pipeline import files, stages
from superposition.pipeline.jobs import job_log

with job_log(snakemake):
    tables, judged = {Path(folder).name: folder for folder in snakemake.input.tables}, []
    for section, figures in snakemake.params.sections.items():
        claims = stages.find(section, "judge", "claims")
        # The report would not show a claim about a figure of another section.
        if misplaced := next((claim for claim in claims if claim.figure not in figures), None):
            raise SuperpositionError(
                f"{misplaced.id}: unknown figure {misplaced.figure!r}, allowed are {', '.join(figures)}"
            )
        measured = {figure: files.read(tables[figure]) for figure in figures}
        judged.append(claims.judge(measured, snakemake.params.scale))
    for parts, path in zip(zip(*judged, strict=True), snakemake.output, strict=True):
        pd.concat(parts).to_csv(path, index=False)
