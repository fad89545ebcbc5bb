"""Measures the trained models of a figure: weights to tables."""

import importlib
from pathlib import Path

from superposition.errors import reporting
from superposition.weights import Trained

with reporting(snakemake.log[0]):
    section = importlib.import_module(f"superposition.paper.{snakemake.params.section}")
    files = zip(snakemake.params.experiments, snakemake.input.weights, strict=True)
    tables = section.measure(snakemake.wildcards.figure, {name: Trained.load(path) for name, path in files})
    Path(snakemake.output[0]).mkdir()
    for name, table in tables.items():
        table.to_csv(Path(snakemake.output[0], f"{name}.csv"), index=False)
