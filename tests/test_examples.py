"""Test the examples and the custom model in the docs: each is trained for a few steps, measured and drawn."""

from typing import Any

import pytest
import yaml
from matplotlib.figure import Figure
from tests.readme import ROOT, block
from tests.real import RAW

from superposition.pipeline import stages
from superposition.pipeline.configuration.config import Config
from superposition.training.runner import train

TINY = {"steps": 3, "batch": 20, "restarts": 2, "evaluation": 1000}


@pytest.mark.parametrize("path", sorted((ROOT / "examples").iterdir()), ids=lambda path: path.stem)
def test_an_example(path: Any) -> None:
    """An example is valid at both scales, and all its figures are drawn."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))["experiments"]
    assert set(entries) <= set(Config.parse(RAW | {"experiments": RAW["experiments"] | entries}).sweeps)
    tiny = {name: entry | TINY for name, entry in entries.items()}
    config = Config.parse(RAW | {"experiments": RAW["experiments"] | tiny})
    trained = {name: train(config.sweeps[name], device="cpu", progress=False) for name in entries}
    for figure in config.figures_of(stages.CUSTOM):
        (name,) = config.figures[figure].experiments
        measure, draw = (stages.find(stages.CUSTOM, stage, figure) for stage in ("measure", "draw"))
        assert isinstance(draw(measure({name: trained[name]})), Figure)


def test_a_custom_model() -> None:
    *statements, last = block("own model").replace("restarts=5", "restarts=2, steps=20, evaluation=1000").splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(statements), names)
    assert isinstance(eval(last, names), Figure)
    trained = names["trained"]
    h = trained.model.hidden(trained.best(), names["torch"].rand(2, 7, 8).double())
    assert ((h != 0).sum(-1) == 2).all()
