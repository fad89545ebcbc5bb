"""Computation in superposition: measures and verdicts on models made by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.paper.synthetic import changed, drawn_twice, judged, through_files, verdict
from tests.real import CONFIG

from superposition.analysis import neurons
from superposition.core.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.paper.absolute import (
    MAIN_EXPERIMENTS,
    count_monosemantic,
    draw,
    is_exact,
    judge,
    layer_matrix,
    measure,
    motifs_of_shown_model,
)
from superposition.pipeline.claims import Tables
from superposition.training.evaluation import losses

Layers = tuple[np.ndarray, np.ndarray]


def exact(n: int, m: int) -> Layers:
    """A “+” and a “-” neuron for each of the first m/2 features."""
    W = np.zeros((m, n))
    for i in range(m // 2):
        W[2 * i, i], W[2 * i + 1, i] = 1, -1
    return W, np.abs(W)


def mixed(several: int, second: float = 0.4) -> Layers:
    """The same, but the last neurons have a second feature and two small ones beside their first."""
    W, W_out = exact(100, 40)
    for k in range(40 - several, 40):
        W[k, [30, 31, 32]] = second, 0.1, -0.1
    return W, W_out


def made(
    experiment: str, solve: Callable[[float], Layers], loss: Callable[[float], float] = lambda p: p
) -> SweepResult:
    """At every point the model of its density, in every restart; the last restart has the lowest loss. Neurons are in
    another order, and of another size, in every model."""
    sweep, rng = CONFIG.sweeps[experiment], np.random.default_rng(0)
    points = sweep.points()
    W, W_out = (np.zeros((len(points), sweep.restarts, sweep.m, sweep.n)) for _ in range(2))
    for point, density in enumerate(points["density"]):
        for restart in range(sweep.restarts):
            order, scale = rng.permutation(sweep.m), rng.uniform(0.5, 2, (sweep.m, 1))
            into, out = solve(density)
            W[point, restart], W_out[point, restart] = (scale * into)[order], (out / scale)[order]
    ranks = 1 + np.arange(sweep.restarts)[::-1] / 10
    found = torch.from_numpy(np.array([[loss(p) * rank for rank in ranks] for p in points["density"]]))
    parameters = {
        "W": torch.from_numpy(W).float(),
        "W_out": torch.from_numpy(W_out).float(),
        "b": torch.zeros(len(points), sweep.restarts, sweep.n),
    }
    return SweepResult(sweep, parameters, found, found / 1e4, torch.tensor([]).long())


def yardstick(density: float) -> float:
    """What it costs to drop all but the first twenty of a hundred features with I_i = 0.8^i."""
    return sum(0.8**i for i in range(20, 100)) * (density / 3 - density**2 / 4)


SEVERAL = {1.0: 0, 0.3: 0, 0.1: 3, 0.03: 6, 0.01: 10, 0.003: 16, 0.001: 24}  # neurons with several features


def hundred_of(several: dict[float, int], **lengths: int) -> dict[str, SweepResult]:
    """``lengths``: neurons with several features after other numbers of steps."""

    def solve(density: float) -> Layers:
        return mixed(several[density])

    models = {name: made(name, solve, yardstick) for name in MAIN_EXPERIMENTS}
    for name, factor in (("absolute_shorter", 4.0), ("absolute_longer", 0.5)):
        count = lengths.get(name.removeprefix("absolute_"), 20)
        models[name] = made(name, lambda p, count=count: mixed(count), lambda p, factor=factor: factor * yardstick(p))
    return models


# The motif's circuit: five features in eight neurons. Feature 4 has none of its own but shares those of 0 and 1; the
# neurons of feature 3 inhibit.
def circuit(inhibition: float = -40.0) -> Layers:
    W, W_out = exact(5, 8)
    for shared, inhibitor, first, small in ((0, 6, 0, -0.25), (2, 7, 1, 0.25)):
        W[shared, 4], W_out[shared, 4] = small, 4
        W[inhibitor, first], W_out[inhibitor, 4] = 0.1, inhibition
    return W, W_out


@pytest.fixture(scope="module")
def trained() -> dict[str, SweepResult]:
    return {
        "absolute_small": made("absolute_small", lambda p: exact(3, 6), lambda p: 1e-16),
        "absolute_motif": made("absolute_motif", lambda p: circuit() if 0.1 <= p <= 0.3 else exact(5, 8)),
        **hundred_of(SEVERAL, shorter=40, longer=12),
    }


def measured(trained: dict[str, SweepResult]) -> Tables:
    return {
        figure: getattr(measure, figure)({name: trained[name] for name in CONFIG.figures[figure].experiments})
        for figure in CONFIG.figures_of("absolute")
    }


@pytest.fixture(scope="module")
def data(trained: dict[str, SweepResult]) -> Tables:
    return measured(trained)


# measures


def test_layers_are_rescaled_and_in_order(trained: dict[str, SweepResult]) -> None:
    W, W_out, b = measure.ordered_layers(trained["absolute_small"], 0, 5)
    np.testing.assert_allclose((W, W_out), exact(3, 6), atol=1e-6)
    np.testing.assert_array_equal(b, 0)


def test_long_and_back() -> None:
    W, W_out, b = np.arange(6.0).reshape(2, 3), -np.arange(6.0).reshape(2, 3), np.array([7.0, 8.0, 9.0])
    table = measure.weights_table(W, W_out, b)
    np.testing.assert_array_equal(layer_matrix(table), W)
    np.testing.assert_array_equal(layer_matrix(table, "out"), W_out)
    assert table.query("neuron == 1 and feature == 2")[["weight", "out", "bias"]].to_numpy().tolist() == [[5, -5, 9]]


def test_the_yardstick_is_the_loss_of_exact_features() -> None:
    """Drawn for the model itself: what it computes exactly costs nothing, the rest its variance."""
    sweep = Sweep(
        model="absolute", n=6, m=4, density=[1, 0.2], importance={"decay": 0.8}, distribution="signed", evaluation=2**22
    )
    W, W_out = (torch.from_numpy(layer).float().expand(2, 1, 4, 6) for layer in exact(6, 4))
    b = torch.tensor([1, 0.2])[:, None, None] / 2 * torch.tensor([0, 0, 1, 1, 1, 1])
    loss, error = losses(sweep, {"W": W, "W_out": W_out, "b": b})
    assert (np.abs(loss[:, 0].numpy() - measure.exact_features_loss(sweep)) < 4 * error[:, 0].numpy()).all()


def test_yardstick_of_the_paper(data: Tables) -> None:
    """At density 1 it is Σ_{i≥20} I_i/12."""
    models = data["absolute_neurons"]["models"]
    dense = models[models["density"] == 1]["yardstick"]
    np.testing.assert_allclose(dense, sum(0.8**i for i in range(20, 100)) / 12)


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("a neuron twice, another missing", lambda W, W_out: (W.__setitem__(5, W[4]), W_out)),
        ("a second feature", lambda W, W_out: W.__setitem__((0, 1), 0.01)),
        ("a second output", lambda W, W_out: W_out.__setitem__((0, 1), 0.01)),
        ("half of an output", lambda W, W_out: W_out.__setitem__((0, 0), 0.5)),
        ("a neuron that is off", lambda W, W_out: (W.__setitem__(5, 0), W_out.__setitem__(5, 0))),
    ],
)
def test_what_is_not_exact(what: str, change: Callable[[np.ndarray, np.ndarray], object]) -> None:
    W, W_out = exact(3, 6)
    assert is_exact(3 * W, W_out / 3)
    change(W, W_out)
    assert not is_exact(W, W_out), what


def test_counts_of_neurons(data: Tables) -> None:
    counts = count_monosemantic(data["absolute_neurons"]["neurons"])
    assert {density: 40 - row for density, row in counts[0].items()} == SEVERAL
    assert counts.nunique(axis=1).eq(1).all(), "the same in every seed"
    strict = count_monosemantic(data["absolute_neurons"]["neurons"], 0.5)
    assert (strict == 40).all(axis=None), "with a second weight of 0.4 they are no more than one feature's at 0.5"


def test_only_the_best_restart_counts() -> None:
    """And only the main recipe."""
    models = hundred_of(SEVERAL)
    models["absolute_dense"].parameters["W"][:, 0] = 1.0
    counts = count_monosemantic(measure.absolute_neurons(models)["neurons"])
    assert (counts.loc[1.0] == 40).all()


def test_what_the_figure_shows_is_the_best_of_all_seeds() -> None:
    models = hundred_of(SEVERAL)
    sparse = models["absolute_sparse"]
    point = sparse.sweep.points().query("density == 0.01 and seed == 1").index[0]
    sparse.loss[point, 0] = 1e-9
    sparse.parameters["W"][point, 0] = torch.from_numpy(mixed(2)[0]).float()
    for figure in ("absolute_neurons", "absolute_zoom"):
        weights = getattr(measure, figure)(models)["weights"]
        W = layer_matrix(weights[weights["density"] == 0.01])
        assert neurons.monosemantic(np.abs(W)).sum() == 38


def test_motifs_of_models(data: Tables) -> None:
    models, motifs = data["asymmetric_motif"]["models"], data["asymmetric_motif"]["motifs"]
    found = models.groupby("density")["instances"].agg(["min", "max"])
    assert found.loc[[0.1, 0.2, 0.3]].eq(2).all(axis=None)
    assert found.drop([0.1, 0.2, 0.3]).eq(0).all(axis=None)
    assert models["best"].sum() == models["density"].nunique()
    one = motifs.iloc[0]
    assert (abs(one["in_first"]), abs(one["in_second"])) == pytest.approx((2, 0.5), rel=1e-5)
    assert (one["out_first"], one["out_second"]) == pytest.approx((0.5, 2), rel=1e-5)


def test_the_densest_of_the_models_with_most_instances_is_shown(data: Tables) -> None:
    shown = data["asymmetric_motif"]["weights"].iloc[0]
    assert (shown["density"], shown["restart"]) == (0.3, CONFIG.sweeps["absolute_motif"].restarts - 1)
    assert len(motifs_of_shown_model(data["asymmetric_motif"])) == 2


def test_ablations(trained: dict[str, SweepResult], data: Tables) -> None:
    """The losses against those drawn by the evaluation; the rise without the first feature's input is where the
    interference now passes: that feature on, the right way."""
    models, table = trained["absolute_motif"], data["asymmetric_motif"]["ablations"]
    point = models.sweep.density.index(0.3)
    W, W_out, b = measure.ordered_layers(models, point, 0)
    (first, second) = neurons.motifs(W, W_out)
    changes = [(W, W_out)]
    for motif in (first, second):
        for layer, neuron, feature in (
            (1, motif.inhibitor, motif.second),
            (0, motif.inhibitor, motif.first),
            (1, motif.shared, motif.second),
        ):
            both = [W.copy(), W_out.copy()]
            both[layer][neuron, feature] = 0
            changes.append(tuple(both))
    stacked = [torch.from_numpy(np.stack([change[layer] for change in changes])[None]).float() for layer in (0, 1)]
    at = models.sweep.model_copy(update={"density": (0.3,)})
    b_all = torch.from_numpy(b).float().expand(1, len(changes), -1)
    expected = losses(at, {"W": stacked[0], "W_out": stacked[1], "b": b_all})[0][0].numpy()
    np.testing.assert_allclose(table["loss"], expected, rtol=0.02)
    assert table["without"].tolist() == ["nothing", *["inhibition", "inhibitor's input", "interference"] * 2]
    path = table[table["without"] == "inhibitor's input"]
    assert (path["share"] > 0.98).all()


# verdicts


def test_verdicts(data: Tables, tmp_path: Path) -> None:
    read = through_files(data, tmp_path)
    assert {claim.id: verdict(judge.claims, claim.id.split(".")[1], read) for claim in judge.claims} == {
        claim.id: claim.expected for claim in judge.claims
    }


def with_several(data: Tables, several: dict[float, int], **lengths: int) -> Tables:
    models = hundred_of(SEVERAL | several, **lengths)
    return data | {figure: getattr(measure, figure)(models) for figure in ("absolute_neurons", "absolute_zoom")}


def test_all_polysemantic_as_the_paper_says(data: Tables) -> None:
    assert verdict(judge.claims, "polysemantic_when_sparse", with_several(data, {0.001: 40})) == "reproduced"


def test_the_correction_names_what_training_does(data: Tables) -> None:
    line = judged(judge.claims, "polysemantic_when_sparse", data)
    assert line["measured"].startswith("24, 24, 24 of 40")
    assert "40 after a tenth of the steps, at 4.00 times" in line["note"]
    assert "12 after three times the steps, at 0.50 times" in line["note"]


@pytest.mark.parametrize("several", [{0.001: 19}, {0.001: 24, 0.003: 24}, {0.001: 24, 1.0: 30}])
def test_no_correction_without_most_neurons_and_the_most_of_all_densities(
    data: Tables, several: dict[float, int]
) -> None:
    assert verdict(judge.claims, "polysemantic_when_sparse", with_several(data, several)) == "not reproduced"


@pytest.mark.parametrize("density", [1.0, 0.3])
def test_one_neuron_with_two_features_is_not_dense(data: Tables, density: float) -> None:
    assert verdict(judge.claims, "monosemantic_when_dense", with_several(data, {density: 1})) == "not reproduced"


@pytest.mark.parametrize(
    ("claim", "figure", "table", "where", "columns"),
    [
        ("monosemantic_when_dense", "absolute_neurons", "models", "density == 1", {"loss": lambda t: 1.2 * t["loss"]}),
        ("monosemantic_when_dense", "absolute_neurons", "models", "density == 1", {"loss": np.nan}),
        ("monosemantic_when_dense", "absolute_neurons", "models", "density == 0.3", {"density": 0.29}),
        ("monosemantic_when_dense", "absolute_neurons", "neurons", "density == 1", {"second": np.nan}),
        ("both_in_one_model", "absolute_neurons", "neurons", "seed == 1", {"second": 0.0}),
        ("both_in_one_model", "absolute_neurons", "neurons", "seed == 1", {"second": 0.9}),
        ("important_stay_monosemantic", "absolute_neurons", "neurons", "seed == 1", {"main": lambda t: 40 - t["main"]}),
        ("important_stay_monosemantic", "absolute_neurons", "neurons", "seed == 1", {"main": 7}),
        ("primary_and_secondary", "absolute_zoom", "neurons", "density == 0.003 and small > 0", {"second": 0.6}),
        ("primary_and_secondary", "absolute_zoom", "neurons", "density == 0.01 and small > 0", {"small": 1}),
        ("primary_and_secondary", "absolute_zoom", "neurons", "density == 0.01", {"small": 0}),
        ("exact", "absolute_small", "models", "restart >= 0", {"loss": 1e-13}),
        ("exact", "absolute_small", "models", "restart >= 0", {"loss": np.nan}),
        ("exact", "absolute_small", "weights", "neuron == 2 and feature == 2", {"weight": 0.01}),
        ("motif", "asymmetric_motif", "motifs", "restart >= 0", {"restart": -1}),
        ("motif", "asymmetric_motif", "motifs", "restart >= 0", {"out_first": lambda t: 0.7 * t["out_second"]}),
        ("motif", "asymmetric_motif", "motifs", "restart >= 0", {"in_second": np.nan}),
        ("motif", "asymmetric_motif", "ablations", "without == 'inhibition'", {"loss": lambda t: 0.05 * t["loss"]}),
        ("motif", "asymmetric_motif", "ablations", 'without == "inhibitor\'s input"', {"loss": 1e-9}),
        ("motif", "asymmetric_motif", "ablations", 'without == "inhibitor\'s input"', {"share": 0.8}),
        ("motif", "asymmetric_motif", "ablations", "instance == 2", {"share": np.nan}),
        ("motif", "asymmetric_motif", "ablations", "instance == 2", {"loss": np.nan}),
    ],
)
def test_what_the_claims_must_not_allow(
    data: Tables, claim: str, figure: str, table: str, where: str, columns: dict[str, Any]
) -> None:
    assert verdict(judge.claims, claim, changed(data, figure, table, where, **columns)) == "not reproduced"


def test_models_without_the_motif(trained: dict[str, SweepResult], data: Tables) -> None:
    """Then one model is shown all the same, without circuits, and the claim does not hold."""
    none = measure.asymmetric_motif({"absolute_motif": made("absolute_motif", lambda p: exact(5, 8))})
    without = data | {"asymmetric_motif": none}
    assert verdict(judge.claims, "motif", without) == "not reproduced"
    draw.asymmetric_motif(none)


# figures


@pytest.mark.parametrize("figure", CONFIG.figures_of("absolute"))
def test_the_figure_is_the_same_every_time(figure: str, data: Tables, tmp_path: Path) -> None:
    assert len(drawn_twice(draw, figure, data, tmp_path)) > 10_000


def test_the_circuits_show_the_measured_weights(data: Tables) -> None:
    """In units in which the first input is 2; the inhibitor's too."""
    fig = draw.asymmetric_motif(data["asymmetric_motif"])
    texts = [text.get_text() for part in fig.subfigs for ax in part.axes for text in ax.texts]
    assert {"2.00", "-0.50", "0.50", "-2.00"} <= set(texts)
    assert pd.Series(texts).str.contains("inhibitor").sum() == 2
