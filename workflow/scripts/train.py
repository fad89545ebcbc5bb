"""Trains the models of one experiment: a sweep to weights."""

import json

from superposition.errors import reporting
from superposition.sweep import Sweep
from superposition.training import train

with reporting(snakemake.log[0]):
    sweep = Sweep.parse(json.loads(snakemake.params.sweep), snakemake.wildcards.experiment)
    train(sweep, snakemake.params.device, snakemake.threads).save(snakemake.output[0])
