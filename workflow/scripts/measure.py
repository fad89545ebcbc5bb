"""Measures the trained models of a figure: weights to tables."""

import importlib

from superposition import files
from superposition.jobs import reporting
from superposition.weights import Trained

with reporting(snakemake.log[0]):
    stage = importlib.import_module(f"superposition.paper.{snakemake.params.section}.measure")
    weights = zip(snakemake.params.experiments, snakemake.input.weights, strict=True)
    tables = stage.measure(snakemake.wildcards.figure, {name: Trained.load(path) for name, path in weights})
    files.write(tables, snakemake.output[0])
