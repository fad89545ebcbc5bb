"""Join the certificates of all experiments, and find the point of every figure where training missed most."""

from pathlib import Path

import pandas as pd

from superposition.pipeline.jobs import job_log
from superposition.search.summary import by_figure

with job_log(snakemake):
    tables = [pd.read_csv(path) for folder in snakemake.input.best for path in sorted(Path(folder).glob("*.csv"))]
    points = pd.concat(tables)
    points.to_csv(snakemake.output.points, index=False)
    by_figure(points, snakemake.params.figures).to_csv(snakemake.output.figures, index=False)
