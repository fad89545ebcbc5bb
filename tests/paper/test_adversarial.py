"""Vulnerability against features per dimension, on models made by hand."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tests.paper.counter_models.adversarial import M, packed
from tests.paper.synthetic import changed, through_files
from tests.real import CONFIG

from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.paper.adversarial import MAIN_EXPERIMENT, judge, measure, removal_sizes, size_where_one
from superposition.pipeline.judging.claims import Tables

DENSITIES = (1.0, 0.5, 0.2, 0.1, 0.05)


def made(n: int, seeds: int, kept: tuple[int, ...]) -> SweepResult:
    """Return models with ``kept`` features in every dimension, by density."""
    sweep = Sweep(model="relu_output", n=n, m=M, density=list(DENSITIES), seeds=seeds)
    W = torch.stack([packed(k, n) for k in kept for _ in range(seeds)])[:, None]
    W = W * (1 + 1e-3 * torch.arange(len(W))[:, None, None, None])  # replicates that differ
    p = torch.tensor([d for d in DENSITIES for _ in range(seeds)])[:, None]
    b = torch.where((W[:, 0] != 0).any(1), 0.0, p / 2)[:, None]
    loss = torch.ones(len(W), 1, dtype=torch.float64)
    return SweepResult(sweep, {"W": W, "b": b}, loss, loss)


@pytest.fixture(scope="module")
def measured() -> dict[str, pd.DataFrame]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "ATTACK_SAMPLES", 2000)
        return measure.adversarial(
            {MAIN_EXPERIMENT: made(16, 3, (1, 2, 2, 3, 4)), "other": made(12, 1, (1, 1, 2, 2, 3))}
        )


@pytest.fixture(scope="module")
def data() -> Tables:
    """Return tables that agree with the paper's statements: vulnerability is the number of features per dimension."""
    rows = []
    sizes = ((MAIN_EXPERIMENT, 200, 20, 3), *(("other", 400, m, 1) for m in (20, 30, 40)))
    for experiment, n, m, seeds in sizes:
        for place, density in enumerate(DENSITIES):
            for seed in range(seeds):
                value = 1 + place + 0.01 * seed - m / 100
                rows.append({"experiment": experiment, "n": n, "m": m, "density": density, "seed": seed, "size": 0.1})
                names = ("features_per_dimension", "scaled", "constant", "represented")
                rows[-1] |= dict.fromkeys(names, value) | {"single": 1.0}
    ascents = pd.DataFrame({"density": [1.0, 0.5], "analytic": 1.0, "all_samples": 1.01, "each_sample": 1.5})
    return {"adversarial": {"models": pd.DataFrame(rows), "ascents": ascents}}


def test_a_dimension_each_is_as_vulnerable_as_without_superposition(measured: dict[str, pd.DataFrame]) -> None:
    """Without shared dimensions every attack points along one feature, so that every measure is 1."""
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
    """Attacks have a tenth of the mean norm of the input, which is nearly √(n/3) at density 1."""
    models = measured["models"]
    for n, rows in models.groupby("n"):
        size = rows.groupby("density")["size"].first()
        assert size[1.0] == pytest.approx(0.1 * (n / 3) ** 0.5, rel=0.03)
        assert size[0.05] < 0.35 * size[1.0]


def test_gradient_ascent_is_at_least_as_good(measured: dict[str, pd.DataFrame]) -> None:
    ascents = measured["ascents"]
    assert ascents["density"].tolist() == [1.0, 0.5]
    assert (ascents["all_samples"] >= 0.999 * ascents["analytic"]).all()
    assert (ascents["each_sample"] >= 0.9999 * ascents["analytic"]).all()  # but for rounding


def test_gradients_find_most_of_the_best_attack(measured: dict[str, pd.DataFrame]) -> None:
    """Attacks along gradients come near the best attack on each sample and never exceed it, where there are any."""
    masking = measured["masking"]
    none = masking["masked"] == 1
    assert masking.loc[none, "relative_rise"].max() < 1e-3
    assert masking.loc[~none, "relative_rise"].between(0.5, 1).all()


def test_only_some_densities_of_other_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ATTACK_SAMPLES", 100)
    monkeypatch.setattr(measure, "OTHER_DENSITIES", 3)
    trained = {MAIN_EXPERIMENT: made(12, 1, (1,) * 5), "other": made(12, 1, (1,) * 5)}
    table = measure.adversarial(trained)["models"]
    assert table.groupby("experiment")["density"].nunique().to_dict() == {MAIN_EXPERIMENT: 5, "other": 3}


def test_models_that_represent_nothing_are_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dense model may spread its dimensions over all features: then there is nothing to attack in particular."""
    monkeypatch.setattr(measure, "ATTACK_SAMPLES", 100)
    spread = made(12, 1, (1,) * 5)
    spread.parameters["W"][:] = torch.full((M, 12), 0.2)
    table = measure.adversarial({MAIN_EXPERIMENT: spread})["models"]
    assert table[["represented", "single"]].isna().all(axis=None)
    assert np.isfinite(table["scaled"]).all()


def test_curves_that_follow_sparsity_alone(data: Tables) -> None:
    """Models of equal n and density tell whether vulnerability follows features per dimension or only sparsity."""
    (claim,) = judge.claims.find(["adversarial.tracks_features_per_dimension"])
    r2, chance = claim.judge(data).statement
    assert r2.value == pytest.approx(1, abs=1e-3)
    assert chance.holds
    wrong = {"constant": lambda t: t["constant"] + t["m"] / 40, "scaled": lambda t: t["scaled"] + t["m"] / 40}
    alike = changed(data, "adversarial", "models", "n == 400", **wrong)
    r2, chance = claim.judge(alike).statement
    assert r2.holds
    assert not chance.holds


def test_probability_at_equal_density_is_that_of_all_orders() -> None:
    """Two densities with three models each; all 36 pairs of orders are equally likely."""
    means = pd.DataFrame({"density": [1, 1, 1, 2, 2, 2], "features_per_dimension": [1, 2, 4, 1, 2, 8]})
    means["v"] = [1, 2, 4, 2, 1, 4]
    x, v = (np.log(means[name].to_numpy()).reshape(2, 3) for name in ("features_per_dimension", "v"))
    sums = [
        [row @ values[list(order)] for order in itertools.permutations(range(3))]
        for row, values in zip(x, v, strict=True)
    ]
    expected = np.mean(np.add.outer(*sums) >= sum(row @ values for row, values in zip(x, v, strict=True)) - 1e-9)
    assert judge.probability_at_equal_density(means, "v") == pytest.approx(expected, abs=0.015)


def test_the_main_sweep_has_replicates() -> None:
    assert CONFIG.sweeps[MAIN_EXPERIMENT].seeds > 1
    assert MAIN_EXPERIMENT in CONFIG.figures["adversarial"].experiments


ATTACKS = (0.0, 0.4, 0.8, 1.2)


@pytest.fixture
def trained_against() -> Tables:
    """Return models as the paper describes them: stronger attacks leave fewer features, and no superposition at 0.8."""
    rows = [
        {
            "experiment": f"n{n}",
            "n": n,
            "m": 20,
            "density": density,
            "attack": attack,
            "seed": seed,
            "kept_features": 20,
        }
        | {
            "features_per_dimension": 4 - attack + 0.01 * seed,
            "interference": {0.0: 40, 0.4: 16, 0.8: 1}.get(attack, 0.2),
        }
        | {"clean_loss": 1 + attack, "price": 1 + attack, "clean_loss_error": 1e-3}
        for n, seeds in ((100, 3), (200, 1))
        for density in (0.3, 0.03)
        for attack in ATTACKS
        for seed in range(seeds)
    ]
    return {"adversarial_training": {"models": pd.DataFrame(rows)}}


def against(k: int, shrunk: float = 1.0) -> torch.Tensor:
    """Return W with ``k`` features in every dimension, all weights shrunk."""
    return packed(k, 16) * shrunk


def test_what_is_measured_of_models_trained_against_attacks() -> None:
    """Interference is counted in antipodal pairs, whatever the norm of W; weak features are not counted."""
    sweep = Sweep(model="relu_output", n=16, m=M, density=0.2, attack=[0, 0.5, 1], evaluation=2**16)
    W = torch.stack([against(2), against(1, 0.3), against(1, 0.5)])[:, None]
    W[2, 0, :, 4:8] = 0.1 * W[2, 0, :, :4]  # a fifth of half of the norm: not kept
    loss = torch.ones(3, 1, dtype=torch.float64)
    trained = SweepResult(sweep, {"W": W, "b": torch.zeros(3, 1, 16)}, loss, loss)
    table = measure.adversarial_training({"one": trained})["models"]
    np.testing.assert_allclose(table["interference"], [(M + 1) / 2, 0, 0], atol=1e-6)
    np.testing.assert_allclose(table["features_per_dimension"], [2, 0.09, 0.2525], rtol=1e-5)
    assert table["kept_features"].tolist() == [8, 4, 4]
    assert table["price"].iloc[0] == 1
    np.testing.assert_allclose(table["price"], table["clean_loss"] / table["clean_loss"].iloc[0])


def test_one_pair_counts_as_one() -> None:
    sweep = Sweep(model="relu_output", n=16, m=M, density=0.2, attack=[0, 0.5], evaluation=2**10)
    W = packed(1, 16)
    W[0, 4] = -1
    W = torch.stack([W, 0.2 * W])[:, None]
    loss = torch.ones(2, 1, dtype=torch.float64)
    trained = SweepResult(sweep, {"W": W, "b": torch.zeros(2, 1, 16)}, loss, loss)
    table = measure.adversarial_training({"one": trained})["models"]
    np.testing.assert_allclose(table["interference"], 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([10, 1, 0.1], 1.0),
        ([10, 0.1, 0.01], 0.5),
        ([100, 10, 0.1], 1.5),
        ([0.5, 5, 5], 0.0),
        ([2, 3, 4], np.inf),
        ([1e12, 0, 0], 0.5),
    ],
)
def test_where_a_curve_falls_to_one(values: list[float], expected: float) -> None:
    """The logarithm of the curve is a straight line between two sizes."""
    assert size_where_one(pd.Series(values, index=[0.0, 1.0, 2.0])) == pytest.approx(expected)


def test_a_size_of_removal_is_that_of_the_median_replicate(trained_against: Tables) -> None:
    """One replicate that is far off does not move it; sizes that only another n was trained at are passed over."""
    models = trained_against["adversarial_training"]["models"]
    off = (models["n"] == 100) & (models["seed"] == 2)
    models = models.assign(interference=models["interference"].where(~off, 1000.0))
    models = models[(models["n"] == 100) | (models["attack"] != 0.4)]
    sizes = removal_sizes(models, "interference")
    assert sizes.to_dict() == {(n, density): pytest.approx(0.8) for n in (100, 200) for density in (0.03, 0.3)}


def test_prices_are_over_the_same_replicate_without_attacks() -> None:
    """Prices compare models of the same density and seed, by the loss without attacks, whatever was minimised."""
    sweep = Sweep(
        model="relu_output", n=16, m=M, density=[0.5, 0.2], attack=[0, 0.5], seeds=2, restarts=1, evaluation=2**12
    )
    W = torch.stack([against(1, 1 - 0.1 * k) for k in range(8)])[:, None]
    loss = torch.ones(8, 1, dtype=torch.float64)
    trained = SweepResult(sweep, {"W": W, "b": torch.zeros(8, 1, 16)}, loss, loss)
    table = measure.adversarial_training({"one": trained})["models"]
    for _, rows in table.groupby(["density", "seed"]):
        assert rows["attack"].tolist() == [0, 0.5]
        clean = rows["clean_loss"].to_numpy()
        assert clean[1] > clean[0]
        np.testing.assert_allclose(rows["price"], [1, clean[1] / clean[0]])


def test_numbers_in_the_report_of_training_against_attacks() -> None:
    """The report has the peak, and where the curve falls to one at what cost; the largest size if it never falls.

    Models without superposition need no attacks.
    """
    one = {
        "attack": [0.0, 0.5, 1.0],
        "features_per_dimension": [2.0, 4.0, 0.25],
        "interference": [10.0, 0.1, 0.01],
        "price": [1.0, 3.0, 9.0],
        "kept_features": [40, 30, 20],
    }
    none = one | {"features_per_dimension": [4.0, 3.0, 2.0], "interference": [10.0, 5.0, 2.0]}
    always = one | {"features_per_dimension": [1.0, 0.9, 0.5], "interference": [1.0, 0.1, 0.01]}
    models = pd.concat(
        pd.DataFrame(columns).assign(n=100, m=20, density=density)
        for density, columns in ((1.0, always), (0.3, one), (0.03, none))
    )
    sparse, dense, densest = measure.summarise_removal(models).to_dict("records")
    assert densest == {
        "n, m": "100, 20",
        "1-S": "1",
        "features per dimension without attacks": "1.00",
        "most": "1.00 at 0",
        "one per dimension at": "0.00",
        "superposition gone at": "0.00",
        "clean loss there": "1.0 times",
        "features kept there": "40",
    }
    assert dense == {
        "n, m": "100, 20",
        "1-S": "0.3",
        "features per dimension without attacks": "2.00",
        "most": "4.00 at 0.5",
        "one per dimension at": "0.75",
        "superposition gone at": "0.25",
        "clean loss there": "3.0 times",
        "features kept there": "30",
    }
    assert sparse == {
        "n, m": "100, 20",
        "1-S": "0.03",
        "features per dimension without attacks": "4.00",
        "most": "4.00 at 0",
        "one per dimension at": "above 1",
        "superposition gone at": "above 1",
        "clean loss there": "–",
        "features kept there": "–",
    }


def test_claims_from_files(data: Tables, trained_against: Tables, tmp_path: Path) -> None:
    """Written and read again, tables made as the paper describes them support its statements."""
    columns = {"off": [0.0, 0.99], "masked": [0.0, 0.5], "relative_rise": [1.0, 0.3]}
    masking = pd.DataFrame({"density": [1.0, 0.1], "n": 20, **columns})
    tables = {"adversarial": data["adversarial"] | {"masking": masking}} | trained_against
    table, _ = judge.claims.judge(through_files(tables, tmp_path), "paper")
    assert set(table["verdict"]) == {"reproduced", "described"}
