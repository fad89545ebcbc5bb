"""Count how often each verdict comes under other seeds; print the claims whose verdict is often another."""

import pandas as pd

from superposition.pipeline.jobs import job_log
from superposition.pipeline.robustness import count_verdicts, describe

with job_log(snakemake):
    claims, criteria = (
        pd.concat(map(pd.read_csv, files)) for files in (snakemake.input.claims, snakemake.input.criteria)
    )
    table = count_verdicts(claims, criteria)
    table.to_csv(snakemake.output[0], index=False)
    print(describe(table))
