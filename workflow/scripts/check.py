"""Compare the verdicts with those on record; fail, naming the claims, if they differ."""

import pandas as pd

from superposition.pipeline.jobs import job_log
from superposition.pipeline.judging.claims import check

with job_log(snakemake):
    print(check(pd.read_csv(snakemake.input.claims)))
