"""The experiments of ``config.yaml``, at both scales: the paper's models, and what is compared with what."""

from typing import Any

import numpy as np
import pytest
from tests.real import CONFIG, CONFIGS, RAW

from superposition.pipeline.configuration.config import CUSTOM

by_scale = pytest.mark.parametrize("scale", CONFIGS)
TRAINING = {"steps", "batch", "learning_rate", "schedule", "weight_decay"}
DENSITIES = (1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
# The numbers that the paper states for its models, and the decay of their importances.
PAPER: dict[str, dict[str, Any]] = {
    "introduction": {"n": 5, "m": 2, "density": (1, 0.2, 0.1), "decay": 0.9},
    "basic_small": {"n": 20, "m": 5, "density": DENSITIES, "decay": 0.7},
    "basic_small_linear": {"n": 20, "m": 5, "density": DENSITIES, "decay": 0.7},
    "basic_large": {"n": 80, "m": 20, "density": DENSITIES, "decay": 0.9},
    "basic_large_linear": {"n": 80, "m": 20, "density": DENSITIES, "decay": 0.9},
}


@by_scale
@pytest.mark.parametrize("name", PAPER)
def test_first_models(name: str, scale: str) -> None:
    """Scale quick trains the same models for fewer steps."""
    config, numbers = CONFIGS[scale], PAPER[name]
    sweep = config.sweeps[name]
    assert sweep.model == ("linear" if name.endswith("linear") else "relu_output")
    assert (sweep.n, sweep.m, sweep.density) == (numbers["n"], numbers["m"], numbers["density"])
    np.testing.assert_allclose(sweep.importances(), [numbers["decay"] ** np.arange(numbers["n"])] * len(sweep.density))
    assert {"model", "n", "m"} <= set(config.from_paper[name])
    assert not (TRAINING | {"restarts"}) & set(config.from_paper[name])


@by_scale
@pytest.mark.parametrize(("name", "n", "m"), [("phase_2in1", 2, 1), ("phase_3in2", 3, 2)])
def test_phase_diagrams(name: str, n: int, m: int, scale: str) -> None:
    """There are ten models per point, at densities from 0.01 to 1 and relative importances from 0.1 to 10."""
    config = CONFIGS[scale]
    for kind in ("", "_optimum", "_notebook"):
        sweep = config.sweeps[name + kind]
        assert (sweep.model, sweep.n, sweep.m) == ("relu_output", n, m)
        assert set(sweep.relative_importance.features) == {n - 1}
        for axis, ends in ((sweep.density, (0.01, 1)), (sweep.relative_importance.ratio, (0.1, 10))):
            assert (min(axis), max(axis)) == pytest.approx(ends)
            np.testing.assert_allclose(np.diff(np.log(axis)), np.diff(np.log(axis))[0], rtol=1e-9)
            assert len(axis) >= {"_notebook": 3}.get(kind, 40 if scale == "paper" else 10)
            assert scale == "paper" or len(axis) <= 15
        np.testing.assert_allclose(sweep.importances()[:, : n - 1], 1)
        assert sweep.solver == ("exact" if kind == "_optimum" else "adam")
        assert kind == "_optimum" or sweep.restarts == 10
    assert config.sweeps[f"{name}_optimum"].density == config.sweeps[name].density
    assert config.sweeps[f"{name}_optimum"].relative_importance == config.sweeps[name].relative_importance
    assert {"model", "n", "m", "restarts"} <= set(config.from_paper[name])
    assert not TRAINING & set(config.from_paper[name])


@by_scale
def test_uniform_superposition(scale: str) -> None:
    """The largest sweep has 400 equal features in 30 dimensions, at densities from 1 to 0.01.

    Sweeps that are compared with it differ in one respect, and their densities are among these.
    """
    config = CONFIGS[scale]
    large, small = config.sweeps["uniform_400_30"], config.sweeps["uniform_200_20"]
    assert (large.n, large.m, small.n, small.m) == (400, 30, 200, 20)
    assert (max(large.density), min(large.density)) == (1, 0.01)
    assert len(large.density) >= (40 if scale == "paper" else 5)
    assert small.density in (large.density, large.density[::2])
    assert small.seeds > 1
    assert {"n", "m", "importance"} <= set(config.from_paper["uniform_400_30"])
    for name in (name for name in config.sweeps if name.startswith("uniform")):
        sweep = config.sweeps[name]
        np.testing.assert_array_equal(sweep.importances(), 1)
        assert {round(p, 9) for p in sweep.density} <= {round(p, 9) for p in large.density}
        if name[-1].isdigit():
            assert name == f"uniform_{sweep.n}_{sweep.m}"
            same = {"n": 0, "m": 0, "density": 0, "seeds": 0}
            assert sweep.model_dump() | same == large.model_dump() | same
    longer = config.sweeps["uniform_longer"].model_dump()
    assert longer | {"density": 0} == large.model_dump() | {"density": 0, "steps": 2 * large.steps}


@by_scale
def test_small_models_of_uniform_superposition(scale: str) -> None:
    """There are four to nine features in two dimensions and up to twelve in three, all at the same densities."""
    sweeps = {name: sweep for name, sweep in CONFIGS[scale].sweeps.items() if name.startswith("polytopes")}
    sizes = {(m, n) for m in (2, 3) for n in range(4, 10)} | {(3, 10), (3, 11), (3, 12)}
    assert {(s.m, s.n) for s in sweeps.values()} == sizes
    assert all(name == f"polytopes_{s.m}_{s.n}" for name, s in sweeps.items())
    assert len({s.density for s in sweeps.values()}) == 1


@by_scale
def test_non_uniform_superposition(scale: str) -> None:
    """The relative density of one of five equal features varies from 0.1 to 10."""
    sweep = CONFIGS[scale].sweeps["pentagon"]
    assert (sweep.model, sweep.n, sweep.m, sweep.density) == ("relu_output", 5, 2, (0.05,))
    assert (sweep.relative_density.features, {1.0} < set(sweep.relative_density.ratio)) == ((0,), True)
    assert (min(sweep.relative_density.ratio), max(sweep.relative_density.ratio)) == (0.1, 10)
    assert scale == "quick" or (len(sweep.relative_density.ratio) >= 25 and sweep.restarts >= 200)
    np.testing.assert_array_equal(sweep.importances(), 1)


# Features, hidden dimensions and sets of the paper; independent features show what is due to chance.
CORRELATED = {
    "organization_4": (4, 2, {"correlated 0+1 2+3", "anticorrelated 0+1 2+3", "independent"}),
    "organization_6": (6, 2, {"correlated 0+1 2+3 4+5", "independent"}),
    "local_bases": (
        20,
        10,
        {f"correlated {'+'.join(map(str, range(10)))} {'+'.join(map(str, range(10, 20)))}", "independent"},
    ),
    "collapse": (6, 2, {"correlated 0+1 2+3 4+5"}),
    "geometric_learning": (6, 3, {"correlated 0+1+2 3+4+5"}),
    "geometric_learning_xavier": (6, 3, {"correlated 0+1+2 3+4+5"}),
    "geometric_learning_dense": (6, 3, {"correlated 0+1+2 3+4+5"}),
    "geometric_learning_sparse": (6, 3, {"correlated 0+1+2 3+4+5"}),
}


@by_scale
@pytest.mark.parametrize("name", CORRELATED)
def test_correlated_features(name: str, scale: str) -> None:
    """The sweeps of learning dynamics differ in their initial weights, or in density and restarts, alone."""
    config = CONFIGS[scale]
    sweep, (n, m, distributions) = config.sweeps[name], CORRELATED[name]
    assert (sweep.model, sweep.n, sweep.m) == ("relu_output", n, m)
    assert {d.name for d in sweep.distribution} == distributions
    assert {"model", "n", "m", "distribution"} <= set(config.from_paper[name])
    assert "density" not in config.from_paper[name]
    np.testing.assert_array_equal(sweep.importances(), 1)
    if name.startswith("geometric_learning"):
        other = config.sweeps["geometric_learning"].model_dump()
        own = {"initial_scale"} if name == "geometric_learning_xavier" else {"density", "restarts"}
        assert sweep.model_dump() == other | {key: getattr(sweep, key) for key in own}
        assert sweep.snapshots > 50


@by_scale
def test_privileged_basis(scale: str) -> None:
    """There are 1000 models of ten features and five neurons, I_i = 0.75^i, in each of the paper's regimes.

    The sweeps compared with them differ in their hidden layer and their slower training.
    """
    sweeps = CONFIGS[scale].sweeps
    main = sweeps["privileged"]
    assert (main.model, main.n, main.m, main.hidden_bias) == ("relu_hidden", 10, 5, False)
    np.testing.assert_allclose(main.importances()[0], 0.75 ** np.arange(10))
    if scale == "paper":
        assert main.restarts == 1000
        assert (max(main.density), min(main.density), len(main.density) >= 10) == (1, 0.02, True)
        for low, high in ((0.5, 1), (0.2, 0.49), (0.15, 0.15), (0.12, 0.12), (0.05, 0.08), (0, 0.04)):
            assert any(low <= density <= high for density in main.density)
    for name, changes in {
        "privileged_linear": {"model": "relu_output"},
        "privileged_bias": {"model": "relu_hidden", "hidden_bias": True},
    }.items():
        other = sweeps[name]
        assert set(other.density) <= set(main.density)
        slower = {"steps": 3000, "batch": 1024, "learning_rate": 0.01}
        same = {"density": other.density, "restarts": other.restarts} | slower
        assert other.model_dump() == main.model_copy(update=changes | same).model_dump()


@by_scale
def test_computation_in_superposition(scale: str) -> None:
    """The models compute |x| of three features with six neurons, and of a hundred, I_i = 0.8^i, with forty.

    Those with the motif have less than two neurons per feature.
    """
    mine = {name: sweep for name, sweep in CONFIGS[scale].sweeps.items() if name.startswith("absolute")}
    assert all(sweep.model == "absolute" and sweep.signed for sweep in mine.values())
    assert (mine["absolute_small"].n, mine["absolute_small"].m) == (3, 6)
    assert mine["absolute_motif"].n < mine["absolute_motif"].m < 2 * mine["absolute_motif"].n
    dense, sparse, *others = hundred = [mine[f"absolute_{name}"] for name in ("dense", "sparse", "shorter", "longer")]
    for sweep in hundred:
        assert (sweep.n, sweep.m) == (100, 40)
        np.testing.assert_allclose(sweep.importances()[0], 0.8 ** np.arange(100))
    assert dense.density + sparse.density == DENSITIES
    assert dense.seeds == sparse.seeds > 1
    assert others[0].steps < sparse.steps < others[1].steps
    if scale == "paper":
        same = {key: getattr(sparse, key) for key in ("density", "seeds", "restarts", "steps")}
        assert all(sweep.model_copy(update=same) == sparse for sweep in others)


@pytest.mark.parametrize(
    "name", ["basic_small_notebook", "phase_2in1_notebook", "phase_3in2_notebook", "uniform_notebook"]
)
def test_training_as_in_the_notebook(name: str) -> None:
    """Training is by AdamW at a constant 1e-3, decay 0.01, batches of 1024, 10,000 steps, and biases from zero."""
    sweep = CONFIG.sweeps[name]
    assert (sweep.learning_rate, sweep.schedule, sweep.weight_decay) == (1e-3, "constant", 0.01)
    assert (sweep.batch, sweep.steps, sweep.initial_bias) == (1024, 10_000, "zero")


def test_scale_quick_is_quicker() -> None:
    """Scale quick makes the same figures with less than half the work, and changes no value that the paper states."""
    paper, quick = CONFIGS.values()
    work = [
        sum(len(s.points()) * s.restarts * s.steps * s.batch * s.n * s.m for s in config.sweeps.values())
        for config in (paper, quick)
    ]
    assert work[1] < work[0] / 2
    assert sum(s.work for s in quick.sweeps.values()) < sum(s.work for s in paper.sweeps.values()) / 2
    assert quick.figures == paper.figures
    for name, entry in RAW["experiments"].items():
        assert {*quick.from_paper[name]} == {*paper.from_paper[name]} - {*entry.get("quick", {})}


def test_every_section_has_a_figure_and_every_experiment_is_used() -> None:
    assert CUSTOM not in CONFIG.sections
    assert all(CONFIG.figures_of(section) for section in CONFIG.sections)


def test_sweeps_of_the_sensitivity_analysis() -> None:
    """Claims are judged again on the grids of scale quick, with the training configuration of scale paper."""
    paper, quick = CONFIGS.values()
    assert [claim for claims in paper.sensitivity.values() for claim in claims] == RAW["sensitivity"]
    assert quick.sensitivity == {}
    for section in paper.sensitivity:
        for figure, sweeps in paper.reduced_sweeps(section).items():
            assert list(sweeps) == list(paper.figures[figure].experiments)
            for name, sweep in sweeps.items():
                for key in ("steps", "batch", "learning_rate"):
                    assert getattr(sweep, key) == getattr(paper.sweeps[name], key)
                assert (sweep.density, sweep.restarts) == (quick.sweeps[name].density, quick.sweeps[name].restarts)
