"""Join the certificates of all experiments."""

from pathlib import Path

import pandas as pd

from superposition.pipeline.jobs import job_log

with job_log(snakemake.log[0]):
    tables = [pd.read_csv(path) for folder in snakemake.input.best for path in sorted(Path(folder).glob("*.csv"))]
    pd.concat(tables).to_csv(snakemake.output[0], index=False)
