"""Vulnerability against features per dimension, on models made by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from synthetic import CONFIG, changed, drawn_twice, judged, through_files, verdict

from superposition.claims import Tables
from superposition.paper import adversarial
from superposition.paper.adversarial import MAIN, claims
from superposition.sweep import Sweep
from superposition.weights import Trained

DENSITIES = (1.0, 0.5, 0.2, 0.1, 0.05)
M = 4


def packed(k: int, n: int) -> torch.Tensor:
    """Features in M dimensions, k of them in each, as antipodal pairs where they are two; the rest is dropped."""
    W = torch.zeros(M, n)
    for i in range(M * k):
        W[i % M, i] = (-1) ** (i // M)
    return W


def made(n: int, seeds: int, kept: tuple[int, ...]) -> Trained:
    """``kept`` features in every dimension, by density."""
    sweep = Sweep(model="relu_output", n=n, m=M, density=list(DENSITIES), seeds=seeds)
    W = torch.stack([packed(k, n) for k in kept for _ in range(seeds)])[:, None]
    W = W * (1 + 1e-3 * torch.arange(len(W))[:, None, None, None])  # replicates that differ
    p = torch.tensor([d for d in DENSITIES for _ in range(seeds)])[:, None]
    b = torch.where((W[:, 0] != 0).any(1), 0.0, p / 2)[:, None]
    loss = torch.ones(len(W), 1, dtype=torch.float64)
    return Trained(sweep, {"W": W, "b": b}, loss, loss, torch.tensor([]).long())


@pytest.fixture(scope="module")
def measured() -> dict[str, pd.DataFrame]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adversarial, "SAMPLES", 2000)
        return adversarial.measure(
            "adversarial", {MAIN: made(16, 3, (1, 2, 2, 3, 4)), "other": made(12, 1, (1, 1, 2, 2, 3))}
        )


@pytest.fixture(scope="module")
def data() -> Tables:
    """Numbers as the paper's statements want them: vulnerability is the number of features per dimension."""
    rows = []
    for experiment, n, m, seeds in ((MAIN, 200, 20, 3), ("other", 100, 20, 1)):
        for place, density in enumerate(DENSITIES):
            for seed in range(seeds):
                value = 1 + place + 0.01 * seed
                rows.append({"experiment": experiment, "n": n, "m": m, "density": density, "seed": seed, "size": 0.1})
                names = ("features_per_dimension", "scaled", "constant", "represented")
                rows[-1] |= dict.fromkeys(names, value) | {"single": 1.0, "represented_features": 20}
    ascents = pd.DataFrame({"density": [1.0, 0.5], "analytic": 1.0, "all_samples": 1.01, "each_sample": 1.5})
    return {"adversarial": {"models": pd.DataFrame(rows), "ascents": ascents}}


def test_a_dimension_each_is_as_vulnerable_as_without_superposition(measured: dict[str, pd.DataFrame]) -> None:
    """By any measure: every attack is along a feature of its own."""
    models = measured["models"]
    alone = models[models["features_per_dimension"] < 1.1]
    assert len(alone) == 5
    for name in ("scaled", "constant", "represented", "single"):
        np.testing.assert_allclose(alone[name], 1, rtol=0.05)


def test_shared_dimensions_are_more_vulnerable(measured: dict[str, pd.DataFrame]) -> None:
    """Three features in a dimension are all moved by an attack on one; an attack on one feature alone is no larger."""
    models = measured["models"]
    shared = models[models["features_per_dimension"] > 2.9]
    assert len(shared) == 7
    assert (shared["scaled"] > 1.5).all()
    np.testing.assert_allclose(shared["scaled"], shared["represented"], rtol=1e-4)
    assert (shared["scaled"] > shared["single"]).all()


def test_sizes_of_attacks(measured: dict[str, pd.DataFrame]) -> None:
    """A tenth of the mean norm: at density 1 nearly √(n/3)."""
    models = measured["models"]
    for n, rows in models.groupby("n"):
        size = rows.groupby("density")["size"].first()
        assert size[1.0] == pytest.approx(0.1 * (n / 3) ** 0.5, rel=0.03)
        assert size[0.05] < 0.35 * size[1.0]


def test_gradient_ascent_is_at_least_as_good(measured: dict[str, pd.DataFrame]) -> None:
    ascents = measured["ascents"]
    assert ascents["density"].tolist() == [1.0, 0.5]
    assert (ascents["all_samples"] >= 0.999 * ascents["analytic"]).all()
    assert (ascents["each_sample"] >= ascents["analytic"]).all()


def test_only_some_densities_of_other_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adversarial, "SAMPLES", 100)
    monkeypatch.setattr(adversarial, "OTHERS", 3)
    table = adversarial.measure("adversarial", {MAIN: made(12, 1, (1,) * 5), "other": made(12, 1, (1,) * 5)})["models"]
    assert table.groupby("experiment")["density"].nunique().to_dict() == {MAIN: 5, "other": 3}


def test_models_that_represent_nothing_are_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dense model may spread its dimensions over all features: then there is nothing to attack in particular."""
    monkeypatch.setattr(adversarial, "SAMPLES", 100)
    spread = made(12, 1, (1,) * 5)
    spread.parameters["W"][:] = torch.full((M, 12), 0.2)
    table = adversarial.measure("adversarial", {MAIN: spread})["models"]
    assert table[["represented", "single"]].isna().all(axis=None)
    assert np.isfinite(table["scaled"]).all()


def test_verdicts(data: Tables, tmp_path: Path) -> None:
    read = through_files(data, tmp_path)
    assert verdict(claims, "threefold", read) == "reproduced"
    assert verdict(claims, "tracks_features_per_dimension", read) == "reproduced"


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        ("scaled > 3", {"scaled": 2.9}),
        ("scaled > 3", {"scaled": lambda t: 3.1 + 2 * (t["seed"] - 1)}),
        ("represented > 3", {"represented": 2.9}),
        (f"experiment == '{MAIN}'", {"represented": np.nan}),
        (f"experiment == '{MAIN}'", {"scaled": np.nan}),
    ],
)
def test_what_threefold_must_not_be(data: Tables, where: str, columns: dict[str, Any]) -> None:
    assert verdict(claims, "threefold", changed(data, "adversarial", "models", where, **columns)) == "not reproduced"


def test_attacks_that_shrink_do_not_follow(data: Tables) -> None:
    falls = changed(data, "adversarial", "models", "density < 0.15", scaled=1.0)
    line = judged(claims, "tracks_features_per_dimension", falls)
    assert line["verdict"] == "corrected"
    assert "below 1-S = 0.2" in line["note"]


@pytest.mark.parametrize("value", [1.0, np.nan])
@pytest.mark.parametrize("experiment", [MAIN, "other"])
def test_neither_reading_follows(data: Tables, experiment: str, value: float) -> None:
    """One size that does not is enough, and what is not known does not count as agreement."""
    where = f"density < 0.15 and experiment == '{experiment}'"
    none = changed(data, "adversarial", "models", where, scaled=value, constant=value)
    assert verdict(claims, "tracks_features_per_dimension", none) == "not reproduced"


def test_the_figure_is_the_same_every_time(data: Tables, tmp_path: Path) -> None:
    assert len(drawn_twice(adversarial.draw, "adversarial", data, tmp_path)) > 10_000


def test_the_main_sweep_has_replicates() -> None:
    assert CONFIG.sweeps[MAIN].seeds > 1
    assert MAIN in CONFIG.figures["adversarial"].experiments
