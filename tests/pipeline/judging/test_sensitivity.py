"""The sensitivity analysis: which settings are varied, and what is trained for which claim."""

import functools

import pandas as pd
import pytest

from superposition.core.errors import SuperpositionError
from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.pipeline.judging import sensitivity
from superposition.pipeline.judging.claims import Claim, Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, Number, above
from superposition.pipeline.judging.sensitivity import VARIANT_COLUMNS, VARIANTS, judge_variants, scale_settings
from superposition.training import runner

ABOUT = {"paper": "", "about": "trained models", "phrase": "", "criteria": [Criterion("x", above(0, "the paper", ""))]}
SWEEP = Sweep(model="relu_output", n=3, m=2, density=[0.5, 0.1], steps=6, batch=20, learning_rate=0.02, evaluation=100)


def test_each_setting_is_halved_and_doubled() -> None:
    """One setting varies at a time; the grid, the model and the restarts stay."""
    found = {}
    for name, factors in VARIANTS.items():
        sweep = scale_settings(SWEEP, factors)
        found[name] = (sweep.batch, sweep.learning_rate, sweep.steps)
        same = {"batch": 20, "learning_rate": 0.02, "steps": 6}
        assert sweep.model_copy(update=same) == SWEEP
    assert found == {
        "as configured": (20, 0.02, 6),
        "batch size halved": (10, 0.02, 6),
        "batch size doubled": (40, 0.02, 6),
        "learning rate halved": (20, 0.01, 6),
        "learning rate doubled": (20, 0.04, 6),
        "steps halved": (20, 0.02, 3),
        "steps doubled": (20, 0.02, 12),
    }


def test_half_of_an_odd_number_is_rounded_down() -> None:
    odd = SWEEP.model_copy(update={"steps": 7, "batch": 25})
    assert scale_settings(odd, VARIANTS["steps halved"]).steps == 3
    assert scale_settings(odd, VARIANTS["batch size halved"]).batch == 12


def test_exact_solutions_are_not_varied() -> None:
    solved = SWEEP.model_copy(update={"solver": "exact"})
    assert all(scale_settings(solved, factors) == solved for factors in VARIANTS.values())


def test_impossible_settings_are_refused() -> None:
    """Half of two samples is less than a batch may have, and half of the steps less than the snapshots."""
    for impossible, variant in (({"batch": 2}, "batch size halved"), ({"snapshots": 5}, "steps halved")):
        sweep = SWEEP.model_copy(update=impossible)
        with pytest.raises(SuperpositionError, match=next(iter(impossible))):
            scale_settings(sweep, VARIANTS[variant])


def test_verdicts() -> None:
    """Every claim is judged with every variant, on models that are trained once and only if they are needed."""
    claims, measured = Claims("zoo"), []

    @claims.add(figure="two", **ABOUT)
    def rate(data: Tables) -> Finding:
        rates = {data[figure]["recipe"]["rate"].item() for figure in ("two", "one")}
        return Finding([Number(1 if rates == {0.02} else -1)])

    @claims.add(figure="one", **ABOUT)
    def steps(data: Tables) -> Finding:
        table = data["one"]["recipe"]
        return Finding([Number(table["steps"].item() - 5.5)])

    def measure(trained: dict[str, SweepResult], figure: str) -> dict[str, pd.DataFrame]:
        measured.append((figure, id(trained["shared"])))
        assert set(trained) == set(figures[figure])
        (sweep,) = {models.sweep for models in trained.values()}
        return {"recipe": pd.DataFrame({"steps": [sweep.steps], "rate": [sweep.learning_rate]})}

    figures = {"one": {"shared": SWEEP}, "two": {"shared": SWEEP, "more": SWEEP}, "unused": {"never": SWEEP}}
    measures = {figure: functools.partial(measure, figure=figure) for figure in figures}
    table = judge_variants(list(claims), measures, figures, device="cpu", threads=1)
    assert table.columns.tolist() == VARIANT_COLUMNS
    found = table.pivot(index="variant", columns="claim", values="verdict")
    assert found.index.sort_values().tolist() == sorted(VARIANTS)
    off = {(variant, claim): v for claim in found for variant, v in found[claim].items() if v != "reproduced"}
    assert off == {
        ("steps halved", "zoo.steps"): "not reproduced",
        ("learning rate halved", "zoo.rate"): "not reproduced",
        ("learning rate doubled", "zoo.rate"): "not reproduced",
    }
    assert [figure for figure, _ in measured] == ["two", "one"] * len(VARIANTS)
    assert all(first[1] == second[1] for first, second in zip(measured[::2], measured[1::2], strict=True))


@pytest.fixture
def claims() -> list[Claim]:
    """Return a claim that holds for any models of a figure."""
    made = Claims("zoo")

    @made.add(figure="one", **ABOUT)
    def any_models(data: Tables) -> Finding:
        return Finding([Number(1 + len(data["one"]))])

    return list(made)


def test_models_are_trained_on_the_given_device(claims: list[Claim], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def train(sweep: Sweep, device: str, threads: int) -> SweepResult:
        asked.append((device, threads))
        return runner.train(sweep, "cpu", 1)

    monkeypatch.setattr(sensitivity, "train", train)
    judge_variants(claims, {"one": lambda _: {}}, {"one": {"sweep": SWEEP}}, "somewhere", 3)
    assert asked == [("somewhere", 3)] * len(VARIANTS)


def test_errors_name_the_experiment_and_the_variant(claims: list[Claim], monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors name the experiment and the variant, because the numbers at fault are not in the configuration."""
    short = SWEEP.model_copy(update={"batch": 2})
    with pytest.raises(SuperpositionError, match=r"^wolf, batch size halved: sweep\.batch: "):
        judge_variants(claims, {"one": lambda _: {}}, {"one": {"wolf": short}}, "cpu", 1)
    with pytest.raises(SuperpositionError, match=r"^sensitivity: one needs the best known models"):
        judge_variants(claims, {"one": lambda _: {}}, {}, "cpu", 1)
    long = SWEEP.model_copy(update={"steps": 600_000})
    monkeypatch.setattr(sensitivity, "VARIANTS", {"steps doubled": {"steps": 2.0}})
    with pytest.raises(SuperpositionError, match=r"^wolf, steps doubled: sweep\.steps: .*1200000$"):
        judge_variants(claims, {"one": lambda _: {}}, {"one": {"wolf": long}}, "cpu", 1)
