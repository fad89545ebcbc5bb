"""Holds the verdicts against those on record; fails, naming the claims, where they differ."""

import pandas as pd

from superposition.pipeline.claims import check
from superposition.pipeline.jobs import reporting

with reporting(snakemake.log[0]):
    print(check(pd.read_csv(snakemake.input.claims)))
