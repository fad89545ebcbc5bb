"""Trains the models of one experiment, a sweep to weights: all of them, one of several parts, or gathers the parts."""

import json

from superposition.jobs import reporting
from superposition.sweep import Sweep
from superposition.training import train
from superposition.weights import Trained

with reporting(snakemake.log[0]):
    if parts := snakemake.input.get("parts"):
        trained = Trained.gather([Trained.load(path) for path in parts])
    else:
        sweep = Sweep.parse(json.loads(snakemake.params.sweep), snakemake.wildcards.experiment)
        part = int(snakemake.wildcards.get("part", 1)), int(snakemake.wildcards.get("parts", 1))
        trained = train(sweep, snakemake.params.device, snakemake.threads, part=part)
    trained.save(snakemake.output[0])
