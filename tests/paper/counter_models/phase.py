"""Counter-models for the phase change: antipodal pairs everywhere, and losses without kinks and jumps."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch
from tests.real import QUICK

from superposition.core.weights import SweepResult
from superposition.paper.phase import derivatives, landscape, measure, two_in_one
from superposition.pipeline.judging.claims import Tables
from superposition.theory import prototypes


def _antipodal(experiment: str) -> SweepResult:
    """Return models in which the extra feature is in an antipodal pair."""
    sweep = QUICK.sweeps[experiment]
    W = torch.eye(sweep.m, dtype=torch.float64)
    W = torch.cat([W, -W[:, -1:]], dim=1).expand(len(sweep.points()), sweep.restarts, -1, -1)
    loss = torch.ones(W.shape[:2], dtype=torch.float64)
    return SweepResult(sweep, {"W": W, "b": 0 * W[..., 0, :]}, loss, 0 * loss)


@functools.cache
def always_antipodal() -> Tables:
    """Return trained and optimal models in superposition at every density and relative importance."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("measure_transition", "measure_triangle"):
            patch.setattr(measure, name, lambda *_: {})
        return {
            figure: getattr(measure, figure)({name: _antipodal(name) for name in QUICK.figures[figure].experiments})
            for figure in ("phase_2in1", "phase_3in2")
        }


def continuous() -> Tables:
    """Return an optimum whose ‖W_2‖ grows as the square root of the distance from the transition."""
    jumps = pd.DataFrame({"relative_importance": [0.5], "density": [0.5], "near": [1e-3], "far": [1e-2]})
    boundary = pd.DataFrame(columns=["relative_importance", "slope_below", "slope_above"])
    two = {"jumps": jumps, "transitions": jumps.assign(jump=False), "boundary": boundary}
    return {"phase_2in1": two}


def one_configuration() -> Tables:
    """Return a theoretical model that keeps its first configuration, so that no losses cross."""
    first = prototypes.Configurations(*(part[:1] for part in prototypes.configurations(2, 1)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prototypes, "configurations", lambda n, m: first)
        return {"phase_kinks": {"kinks": derivatives.kinks(2).assign(features=2)}}


def no_zeros() -> Tables:
    """Return a loss without the delta functions: features are always active."""
    sampled = landscape.sampled_losses()
    W, r = torch.tensor(sampled[["w0", "w1"]].to_numpy()), torch.tensor(sampled["relative_importance"].to_numpy())
    return {"loss_surfaces": {"sampled": sampled.assign(loss=two_in_one.loss(W, torch.ones_like(r), r))}}


def one_minimum() -> Tables:
    """Return antipodal pairs as the only minimum at all densities, with and without a bias."""
    paths = landscape.global_minima([0.1, 0.3, 1.0], np.geomspace(1, 0.1, 9).tolist()).assign(w0=1.0, w1=-1.0)
    basins = paths[["density", "relative_importance"]].assign(starts=100, reached=0.5, minima=1)
    same_sign = paths.query("relative_importance == 1")
    return {"loss_surfaces": {"paths": paths, "basins": basins, "same_sign": same_sign}}


COUNTER_MODELS = {
    "three_phases": always_antipodal,
    "sparsity_necessary": always_antipodal,
    "first_order": continuous,
    "crossover_kink": one_configuration,
    "theory_predicts": always_antipodal,
    "exact_loss": no_zeros,
    "confused_features": one_minimum,
    "smooth_movement": one_minimum,
    "two_minima": one_minimum,
}


def small_basin() -> Tables:
    """The two minima of the comment, with few starts that lead to the better one."""
    paths = landscape.global_minima([1.0], np.geomspace(1, 0.1, 41).tolist())
    basins = paths[["density", "relative_importance"]].assign(starts=100, reached=0.2, minima=2)
    return {"loss_surfaces": {"paths": paths, "basins": basins}}


# Tables with which the statements hold that are corrected.
AS_STATED = {"two_minima": small_basin}
