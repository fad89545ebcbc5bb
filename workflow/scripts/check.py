"""Compare the verdicts with those on record; fail, naming the claims, if they differ."""

import pandas as pd

from superposition.pipeline.claims import check
from superposition.pipeline.jobs import job_log

with job_log(snakemake):
    print(check(pd.read_csv(snakemake.input.claims)))
