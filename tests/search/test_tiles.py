"""Test that large models are put together from small ones that the search trains."""

import re

import pytest

from superposition.core.experiment.sweep import Sweep
from superposition.pipeline.configuration.sections import NAME_PATTERN
from superposition.search import certificate, exchange, tiles
from superposition.search.certificate import find_best
from superposition.training.runner import train

KEYS = {"model": "relu_output", "n": 9, "m": 3, "density": [0.5, 0.3], "steps": 400, "batch": 256}


def test_a_large_model_is_made_of_copies_of_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of hardly trained models, none is as good as the copies of those that were trained for longer."""
    monkeypatch.setattr(tiles, "M", 1)
    monkeypatch.setattr(exchange, "MAX_ROUNDS", 0)
    monkeypatch.setattr(exchange, "known_models", lambda number, condition: [])
    hardly = train(Sweep.parse(KEYS | {"steps": 50}), "cpu")
    monkeypatch.setattr(
        certificate, "train_tiles", lambda sweeps, threads: tiles.train_tiles({"long": Sweep.parse(KEYS)}, 1)
    )
    best = find_best({"large": hardly}, threads=1)
    assert [*best] == ["large"]
    assert best["large"].table["source"].str.startswith("trained tiles").all()
    assert (best["large"].table["excess"] > 0.1).all()


@pytest.mark.parametrize("keys", [{"m": 2}, {"importance": {"decay": 0.9}}, {"model": "linear"}, {"l1": 0.1}])
def test_other_models_have_no_tiles(keys: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "M", 3)
    assert tiles.train_tiles({"one": Sweep.parse(KEYS | {"m": 6} | keys)}, threads=1) == {}


def test_tiles_are_trained_where_about_as_many_features_are_active_as_there_are_hidden_dimensions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tiles, "M", 1)
    sweep = Sweep.parse(KEYS | {"density": [1, 0.5, 0.3, 0.1, 0.01], "steps": 1})
    assert tiles.train_tiles({"one": sweep}, threads=1)[tiles.NAME].sweep.density == (0.5, 0.3)
    assert tiles.train_tiles({"one": sweep.model_copy(update={"density": (0.01,)})}, threads=1) == {}


@pytest.mark.parametrize(
    "keys",
    [
        {"importance": [1.0] * 9},
        {"density_profile": [1.0] * 9},
        {"relative_density": {"features": [8], "ratio": [0.5, 1]}},
        {"relative_importance": {"features": [8], "ratio": [0.5, 1]}},
    ],
)
def test_the_features_of_tiles_are_equal_however_those_of_the_large_model_are_given(
    keys: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "M", 1)
    sweep = Sweep.parse(KEYS | {"steps": 1} | keys)
    (result,) = tiles.train_tiles({"one": sweep}, threads=1).values()
    assert (result.sweep.importances() == 1).all()
    assert result.sweep.points()["density"].tolist() == [0.5, 0.3]


def test_no_experiment_can_have_the_name_of_tiles() -> None:
    assert not re.fullmatch(NAME_PATTERN, tiles.NAME)
