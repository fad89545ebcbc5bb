"""Counter-models for uniform superposition: random directions, shuffled D_i, and identities with a wrong term."""

import functools
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from tests.paper.synthetic import changed
from tests.real import QUICK

from superposition.core import geometry
from superposition.core.weights import SweepResult
from superposition.paper.geometry import LARGE_SWEEP, directions, measure, structure
from superposition.pipeline.judging.claims import Tables
from superposition.theory import packing

FIGURES = ("dimensions_per_feature", "feature_dimensionality", "polytopes", "direction_left_out", "line_sharpness")
# Densities at which a square, and a triangular and a pentagonal bipyramid are the best products.
DENSITIES = (0.05, 0.215443469003, 0.562341325190)


def random_directions(experiment: str) -> SweepResult:
    """Return models in which features have random directions: a fifth of them in large models, which cost little."""
    small = "polytopes" in experiment
    sweep = QUICK.sweeps[experiment].model_copy(update={"restarts": 1} | ({"density": DENSITIES} if small else {}))
    W = np.random.default_rng(1).normal(size=(sweep.size, 1, sweep.m, sweep.n))
    W /= np.linalg.norm(W, axis=-2, keepdims=True)
    W[..., sweep.n if small else sweep.n // 5 :] *= 0.01
    loss = torch.full((sweep.size, 1), 9.0 if small else 1e-3 * sweep.n, dtype=torch.float64)
    parameters = {"W": torch.from_numpy(W), "b": torch.zeros(sweep.size, 1, sweep.n, dtype=torch.float64)}
    return SweepResult(sweep, parameters, loss, loss / 100)


@functools.cache
def random_models() -> Tables:
    """Return the tables of models with random directions."""
    experiments = {figure: QUICK.figures[figure].experiments for figure in FIGURES}
    experiments["polytopes"] = ("polytopes_2_4", "polytopes_3_5", "polytopes_3_7")
    with (
        patch.multiple(packing, PACKING_STARTS=4),
        patch.multiple(directions, ASIDE_DENSITIES=(0.05, 0.9), ASIDE_NUMBERS=(3, 4)),
    ):
        return {
            figure: getattr(measure, figure)(*[{name: random_directions(name) for name in names}] * arguments)
            for figure, names in experiments.items()
            for arguments in (2 if QUICK.figures[figure].best else 1,)
        }


def shuffled() -> Tables:
    """Return D_i of polytopes that belong to features of other polytopes."""
    rng, own = np.random.default_rng(0), {"digon": 1 / 2, "triangle": 2 / 3, "pentagon": 2 / 5}
    names = rng.choice([*own], len(random_models()["polytopes"]["features"]))
    D = rng.permutation([own[name] for name in names])
    return changed(random_models(), "polytopes", "features", "n > 0", polytope=names, dimensionality=D)


def costly_simplices() -> Tables:
    """Return simplices that are never the best choice."""

    def costly(rows: pd.DataFrame) -> pd.Series:
        return 1.2 * rows["simplex_loss"]

    return changed(random_models(), "direction_left_out", "strategies", "n > 0", simplex_loss=costly)


def with_bias() -> Tables:
    """Return losses of one active feature that have another term, as those with a bias do."""

    def other(rows: pd.DataFrame) -> pd.Series:
        return rows["one_active_loss"] + 0.01 * rows["n"]

    return changed(random_models(), "polytopes", "thomson", "n > 0", one_active_loss=other)


def with_table(figure: str, name: str, table: pd.DataFrame) -> Tables:
    """Return the tables of the random models, with another one in the place of one of them."""
    return random_models() | {figure: random_models()[figure] | {name: table}}


def squared_norms() -> Tables:
    """Return leverage scores beside ‖W_i‖² in the place of D_i."""
    with patch.object(geometry, "dimensionality", lambda W: geometry.norms(W).square()):
        table = structure.measure_structure({LARGE_SWEEP: random_directions(LARGE_SWEEP)})
    return with_table("feature_dimensionality", "models", table)


def perturbed_polytopes() -> Tables:
    """Return the D_i of exact polytopes, as ‖W_i‖² in the place of D_i."""
    with patch.object(geometry, "dimensionality", lambda W: geometry.norms(W).square()):
        return with_table("polytopes", "exact", structure.exact_dimensionalities())


def represented_directions() -> Tables:
    """Return projections onto the directions that should be left out."""
    with patch.object(np.linalg, "pinv", lambda directions: 0.6 * np.eye(len(directions))[: directions.shape[1]]):
        return with_table("direction_left_out", "projections", directions.measure_projections())


COUNTER_MODELS = dict.fromkeys(
    (
        "sticky_one",
        "sticky_half",
        "half_is_antipodal",
        "n_is_irrelevant",
        "m_scales",
        "dense_basis_is_arbitrary",
        "budget",
        "split_lines",
        "longer_training",
    ),
    random_models,
) | {
    "tegum": shuffled,
    "thomson": with_bias,
    "leverage": squared_norms,
    "fractions_are_polytopes": perturbed_polytopes,
    "three_form_a_triangle": costly_simplices,
    "dense_direction": costly_simplices,
    "square_is_two_digons": represented_directions,
}


def cheap_simplices() -> Tables:
    """Return simplices that are always the best choice."""

    def cheap(rows: pd.DataFrame) -> pd.Series:
        return rows["simplex_loss"] / 2

    return changed(random_models(), "direction_left_out", "strategies", "n > 0", simplex_loss=cheap)


# Tables with which the statements hold that are corrected.
AS_STATED = {"three_form_a_triangle": cheap_simplices, "dense_direction": cheap_simplices}
