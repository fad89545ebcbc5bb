"""Joins the claims of all sections."""

import pandas as pd

from superposition.jobs import reporting

with reporting(snakemake.log[0]):
    pd.concat(map(pd.read_csv, snakemake.input)).to_csv(snakemake.output[0], index=False)
