"""Other dice for everything by one number, and today's by 0."""

import json
from typing import Any

import pytest
import torch
from tests.real import RAW

from superposition.core import features
from superposition.core.errors import SuperpositionError
from superposition.core.experiment.sweep import Sweep
from superposition.pipeline.configuration.config import Config
from superposition.training import evaluation
from superposition.training.runner import train

PLAIN: dict[str, Any] = {"model": "relu_output", "n": 5, "m": 2, "density": 0.3, "seeds": 2, "restarts": 2, "steps": 3}
SOLVED: dict[str, Any] = {"model": "relu_output", "n": 3, "m": 2, "density": 0.3, "solver": "exact", "restarts": 9}


@pytest.mark.parametrize("entry", [PLAIN | {"evaluation": 5000}, SOLVED], ids=["trained", "solved"])
def test_another_seed_has_no_model_in_common(entry: dict[str, Any]) -> None:
    """No model of another seed is the same, not even a replicate, and the same seed gives the same bits again."""
    W = [train(Sweep.parse(entry | {"seed": seed})).parameters["W"].flatten(0, 1).flatten(1) for seed in (0, 1, 1)]
    assert torch.equal(W[1], W[2])
    if entry is PLAIN:
        assert torch.cdist(W[0].double(), W[1].double()).min() > 1e-3
    assert not torch.equal(W[0], W[1])


def test_losses_are_ranked_by_other_samples() -> None:
    """All sweeps of a seed share the samples by which models are ranked, and those on which they are measured."""
    sweeps = [Sweep.parse(PLAIN | {"seed": seed, "evaluation": 5000}) for seed in (0, 1)]
    parameters = train(sweeps[0]).parameters
    (first, error), (second, _) = (evaluation.losses(sweep, parameters) for sweep in sweeps)
    assert 0 < (first - second).abs().max() < 10 * error.max()
    drawn = [features.samples(sweep, 0, 10)[1] for sweep in sweeps]
    assert not torch.equal(*drawn)


def test_the_seed_of_the_configuration_is_part_of_every_sweep() -> None:
    """The seed is part of every sweep, so that weights are made again if and only if it changes."""
    usual, other = (Config.parse(RAW | {"seed": seed}) for seed in (0, 7))
    assert {sweep.seed for sweep in (*other.sweeps.values(), *other.reduced.values())} == {7}
    assert all("seed" not in json.loads(sweep.spec()) for sweep in usual.sweeps.values())
    assert usual.sweeps == Config.parse({key: value for key, value in RAW.items() if key != "seed"}).sweeps
    with pytest.raises(SuperpositionError, match=r"^config\.seed: input should be less than or equal to 10000"):
        Config.parse(RAW | {"seed": 10**5})
