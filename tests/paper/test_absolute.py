"""Computation in superposition: measures and verdicts on models made by hand."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from tests.paper.counter_models.absolute import SEVERAL, circuit, exact, few_samples, hundred_of, made, mixed
from tests.paper.synthetic import through_files, verdict
from tests.real import CONFIG

from superposition.analysis import neurons
from superposition.core.experiment.sweep import Sweep
from superposition.core.models import Model
from superposition.core.weights import SweepResult
from superposition.paper.absolute import (
    activity,
    computes_exactly,
    count_monosemantic,
    draw,
    judge,
    measure,
    motifs_of_shown_model,
)
from superposition.paper.absolute.cones import cone_layers
from superposition.paper.absolute.motifs import find_motifs
from superposition.pipeline.judging.claims import Tables
from superposition.training.evaluation import losses


@pytest.fixture(scope="module", autouse=True)
def quickly_measured() -> Iterator[None]:
    with few_samples():
        yield


@pytest.fixture(scope="module")
def trained() -> dict[str, SweepResult]:
    return {
        "absolute_small": made("absolute_small", lambda p: exact(3, 6), lambda p: 1e-16),
        "absolute_motif": made("absolute_motif", lambda p: circuit() if 0.1 <= p <= 0.3 else exact(5, 8)),
        **hundred_of(SEVERAL, shorter=40, longer=12),
    }


def measured(trained: dict[str, SweepResult]) -> Tables:
    return {
        figure: getattr(measure, figure)(
            *(
                {name: trained[name] for name in names}
                for names in (CONFIG.figures[figure].experiments, CONFIG.figures[figure].best)
                if names
            )
        )
        for figure in CONFIG.figures_of("absolute")
    }


@pytest.fixture(scope="module")
def data(trained: dict[str, SweepResult]) -> Tables:
    return measured(trained)


# Measures.


def test_layers_are_rescaled_and_in_order(trained: dict[str, SweepResult]) -> None:
    W, W_out, b = measure.ordered_layers(trained["absolute_small"], 0, 5)
    np.testing.assert_allclose((W, W_out), exact(3, 6), atol=1e-6)
    np.testing.assert_array_equal(b, 0)


def test_the_yardstick_is_the_loss_of_exact_features() -> None:
    """Features that a model computes exactly cost nothing, and the others their variance: sampled losses agree."""
    sweep = Sweep(
        model="absolute", n=6, m=4, density=[1, 0.2], importance={"decay": 0.8}, distribution="signed", evaluation=2**22
    )
    W, W_out = (torch.from_numpy(layer).float().expand(2, 1, 4, 6) for layer in exact(6, 4))
    b = torch.tensor([1, 0.2])[:, None, None] / 2 * torch.tensor([0, 0, 1, 1, 1, 1])
    loss, error = losses(sweep, {"W": W, "W_out": W_out, "b": b})
    assert (np.abs(loss[:, 0].numpy() - measure.exact_features_loss(sweep)) < 4 * error[:, 0].numpy()).all()


def test_yardstick_of_the_paper(data: Tables) -> None:
    """At density 1 the yardstick is Σ_{i≥20} I_i/12."""
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
    assert computes_exactly(3 * W, W_out / 3)
    change(W, W_out)
    assert not computes_exactly(W, W_out), what


def test_counts_of_neurons(data: Tables) -> None:
    counts = count_monosemantic(data["absolute_neurons"]["neurons"])
    assert {density: 40 - row for density, row in counts[0].items()} == SEVERAL
    assert counts.nunique(axis=1).eq(1).all(), "the same in every seed"
    strict = count_monosemantic(data["absolute_neurons"]["neurons"], 0.5)
    assert (strict == 40).all(axis=None), "with a second weight of 0.4 they are no more than one feature's at 0.5"


def test_only_the_best_restart_counts() -> None:
    """Other restarts, and models trained for other numbers of steps, are not counted."""
    models = hundred_of(SEVERAL)
    models["absolute_dense"].parameters["W"][:, 0] = 1.0
    counts = count_monosemantic(measure.absolute_neurons(models, models)["neurons"])
    assert (counts.loc[1.0] == 40).all()


def test_what_the_figure_shows_is_the_best_of_all_seeds() -> None:
    models = hundred_of(SEVERAL)
    sparse = models["absolute_sparse"]
    point = sparse.sweep.points().query("density == 0.01 and seed == 1").index[0]
    sparse.loss[point, 0] = 1e-9
    sparse.parameters["W"][point, 0] = torch.from_numpy(mixed(2)[0]).float()
    for tables in (measure.absolute_neurons(models, models), measure.absolute_zoom(models)):
        weights = tables["weights"]
        W = neurons.layer(weights[weights["density"] == 0.01])
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
    """Losses agree with those of the evaluation; without its input the inhibitor lets the interference pass.

    Nearly all of that rise is in samples in which the first feature activates the shared neuron.
    """
    models, table = trained["absolute_motif"], data["asymmetric_motif"]["ablations"]
    point = models.sweep.density.index(0.3)
    W, W_out, b = measure.ordered_layers(models, point, 0)
    (first, second) = find_motifs(W, W_out)
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


# Claims.


def test_claims_from_files(data: Tables, tmp_path: Path) -> None:
    """The verdicts are those on record, but for what the hand-made models lack.

    They compute twenty features, and a neuron with several has the same number of them, and the same weights, at every
    density.
    """
    table, criteria = judge.claims.judge(through_files(data, tmp_path), "paper")
    other = table[table["verdict"] != table["expected"]]
    names = ("more_features_than_neurons", "progression", "both_in_one_model")
    assert other["claim"].tolist() == [f"absolute.{name}" for name in names]
    values = criteria[criteria["part"] == "statement"].groupby("claim")["value"].first()
    # 24 of 40 neurons with several features at the lowest density, and the exact model elsewhere.
    assert values["absolute.polysemantic_when_sparse"] == 16
    assert values["absolute.more_features_than_neurons"] == 20
    assert values["absolute.two_neurons_each"] == pytest.approx(0.8)


@pytest.mark.parametrize("n", [2, 3, 41, 100])
def test_six_neurons_compute_any_number_of_features(n: int) -> None:
    """The layers of the construction, run as a model, give |x| of the active feature and 0 for all others."""
    W, W_out = map(torch.from_numpy, cone_layers(n))
    x = torch.cat([torch.eye(n), -0.3 * torch.eye(n)]).double()
    y = Model("absolute", n, 6).output({"W": W, "W_out": W_out, "b": torch.zeros(n).double()}, x)
    torch.testing.assert_close(y, x.abs(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("error", [0.5, 1e-6])
def test_a_feature_with_an_error_is_not_computed(data: Tables, error: float) -> None:
    """Of a hundred features of the construction, those count whose output differs from |x| by no more than rounding."""
    tables = data["absolute_neurons"]
    wrong = tables["constructed"].copy()
    wrong.loc[wrong.index[:70], "error"] = error
    _, criteria = judge.claims.judge(data | {"absolute_neurons": tables | {"constructed": wrong}}, "paper")
    found = criteria.query("claim == 'absolute.more_features_than_neurons' and part == 'correction'")
    assert found["value"].tolist() == [20, 30]


@pytest.mark.parametrize(
    ("noise", "trend", "expected"),
    [(1, 4, "reproduced"), (2, 4, "reproduced"), (2, 0, "not reproduced"), (1, -4, "not reproduced")],
)
def test_a_progression_is_one_of_means(noise: int, trend: int, expected: str) -> None:
    """A single seed whose number falls does not refute it; no trend, or the opposite one, does."""
    density = [1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001]
    start, rows = 0 if trend > 0 else 24, []
    for place, p in enumerate(density):
        for seed in range(3):
            # The seeds take turns in having more neurons with several features than the mean, or fewer.
            count = np.clip(start + trend * place + noise * ((seed + place) % 3 - 1), 0, 40)
            second = np.where(np.arange(40) < count, 0.9, 0.0)
            about = {"experiment": "absolute_sparse", "density": p, "seed": seed, "best": True}
            small = np.where(second > 0, max(0, start // 2 + trend * place // 2) + seed % 2, 0)
            rows.append(pd.DataFrame({"neuron": np.arange(40), "second": second, "small": small}).assign(**about))
    data = {"absolute_neurons": {"neurons": pd.concat(rows)}}
    assert verdict(judge.claims, "progression", data) == expected


def test_explained_variance(trained: dict[str, SweepResult]) -> None:
    """Two neurons explain all of a feature's |x|, one of them half, and none explains nothing."""
    models = trained["absolute_small"]
    models = dataclasses.replace(models, parameters={k: v.clone() for k, v in models.parameters.items()})
    W = models.parameters["W"][0, 0]
    W[W[:, 1] < 0] = 0
    W[W[:, 2] != 0] = 0
    p = models.sweep.density[0]
    models.parameters["b"][0, 0, 2] = p / 2
    explained = activity.explained_variance(models, 0, 0)
    share, error = explained["explained"], explained["explained_error"]
    assert share[2] == pytest.approx(0, abs=1e-9)
    assert abs(share[0] - 1) < 4 * error[0]
    # Without its “-” neuron a feature loses E[x²] in half of the cases in which it is active.
    assert abs(share[1] - (1 - (p / 6) / (p / 3 - p**2 / 4))) < 4 * error[1]


def test_shares_of_the_primary_feature(trained: dict[str, SweepResult]) -> None:
    """A neuron with one feature responds to nothing else."""
    responses = activity.neuron_responses(trained["absolute_small"], 0, 0)
    for name, expected in {"second": 0, "visible": 1, "large": 1, "small": 1}.items():
        np.testing.assert_array_equal(responses[name], expected)


def test_models_without_the_motif() -> None:
    """A model is shown even if none has the motif, and no axes in place of the circuits."""
    models = {"absolute_motif": made("absolute_motif", lambda p: exact(5, 8))}
    fig = draw.asymmetric_motif(measure.asymmetric_motif(models))
    circuits = fig.subfigs[1].subfigs[1].axes
    assert [ax.axison for ax in circuits] == [False] * 4
    plt.close(fig)


# Figures.


def test_the_circuits_show_the_measured_weights(data: Tables) -> None:
    """Weights are shown in units in which the first input weight is 2, those of the inhibitor too."""
    fig = draw.asymmetric_motif(data["asymmetric_motif"])
    texts = [text.get_text() for ax in fig.axes for text in ax.texts]
    assert {"2.00", "-0.50", "0.50", "-2.00"} <= set(texts)
    assert pd.Series(texts).str.contains("inhibitor").sum() == 2
    plt.close(fig)


def test_the_stacks_are_taken_apart(data: Tables) -> None:
    """Every neuron of the model is in one of the parts, and the motif's are where one activates another's output."""
    fig = draw.asymmetric_motif(data["asymmetric_motif"])
    model, usual, motif = ([int(tick.get_text()) - 1 for tick in ax.get_xticklabels()] for ax in fig.subfigs[0].axes)
    assert sorted(usual + motif) == model == list(range(8))
    W = np.abs(neurons.layer(data["asymmetric_motif"]["weights"]))
    assert set(motif) >= set(np.flatnonzero((W > 0.1).sum(axis=1) > 1))
    assert len(motif) == 4
    for ax, part in zip(fig.subfigs[0].axes, (model, usual, motif), strict=True):
        tops = {round(k): 0.0 for k in range(len(part))}
        for path in ax.collections[0].get_paths():
            (left, _), (right, top) = path.vertices.min(axis=0), path.vertices.max(axis=0)
            tops[round((left + right) / 2)] = max(tops[round((left + right) / 2)], top)
        np.testing.assert_allclose([*tops.values()], W[part].sum(axis=1), rtol=1e-6)
    plt.close(fig)
