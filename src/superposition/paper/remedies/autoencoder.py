"""Sparse autoencoders on the hidden activations of toy models (a comment on the paper by Sharkey et al.).

An autoencoder has one hidden layer: h' = D ReLU(Eᵀh + c), where the elements of its dictionary, the columns of D, have
norm 1. It minimises ‖h - h'‖² plus a penalty on the sum of its activations, and sees nothing of a model but h.
"""

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from superposition.analysis.representation import is_represented
from superposition.core import geometry
from superposition.core.weights import SweepResult

# Elements of a dictionary per feature of the model, and coefficients of the penalty.
ELEMENTS_PER_FEATURE = (0.25, 0.5, 1.0, 2.0)
PENALTIES = (0.1, 0.2, 0.4, 0.8)
TRAINING_STEPS, BATCH, LEARNING_RATE = 1500, 128, 0.015
# Samples on which autoencoders are measured, and random dictionaries with which they are compared.
TEST_SAMPLES, RANDOM_DICTIONARIES = 8192, 100

# One for every model and penalty.
Dictionary = Float[Tensor, "model penalty m element"]


def measure_recovery(models: SweepResult, rows: list[int]) -> pd.DataFrame:
    """Train autoencoders of every size and penalty on some models, and compare their elements with the W_i.

    Args:
        models: Trained models of independent features.
        rows: Rows of ``models.sweep.points()``, one for each model.

    Returns:
        One row per model, number of elements and penalty. ``features`` counts the represented features, ``cosine`` is
        their mean cosine to the nearest element, and ``recovered`` how many of them have an element
        within half the angle to the nearest other feature; ``random_cosine`` and ``random_recovered`` are the largest
        of these numbers for random dictionaries. ``live`` is the number of elements that any sample activates,
        ``unexplained`` the share of E‖h‖² that is lost, and ``agreement`` the mean over live elements of the cosine to
        the nearest one of the next larger dictionary.
    """
    sweep, generator = models.sweep, torch.Generator().manual_seed(models.sweep.seed)
    densities = sweep.points()["density"].to_numpy()[rows]
    W, p = models.best()["W"][rows].float(), torch.from_numpy(densities).float()
    h = _hidden_activations(W, p, TEST_SAMPLES, generator)
    sizes = [round(share * sweep.n) for share in ELEMENTS_PER_FEATURE]
    trained = [_train(W, p, size, generator) for size in sizes]
    table = []
    for size, (D, E, c), (larger, *_) in zip(sizes, trained, [*trained[1:], (None,)], strict=True):
        code = functional.relu(h[:, None] @ E + c)
        lost = (code @ D.mT - h[:, None]).square().sum((2, 3)) / h.square().sum((1, 2))[:, None]
        live = (code > 0).any(2)
        drawn = functional.normalize(torch.randn(RANDOM_DICTIONARIES, sweep.m, size, generator=generator), dim=1)
        for k, density in enumerate(densities):
            features = W[k][:, is_represented(geometry.norms(W[k]) ** 2)]
            random_cosine, random_recovered = _compare(features.expand(len(drawn), -1, -1), drawn)
            cosine, recovered = _compare(features.expand(len(PENALTIES), -1, -1), D[k])
            for j, penalty in enumerate(PENALTIES):
                found = D[k, j][:, live[k, j]]
                table.append(
                    {
                        "density": density,
                        "elements": size,
                        "penalty": penalty,
                        "features": features.shape[1],
                        "cosine": float(cosine[j]),
                        "recovered": int(recovered[j]),
                        "random_cosine": float(random_cosine.max()),
                        "random_recovered": int(random_recovered.max()),
                        "live": found.shape[1],
                        "unexplained": float(lost[k, j]),
                        "agreement": float("nan") if larger is None else float(_nearest(found, larger[k, j]).mean()),
                    }
                )
    return pd.DataFrame(table)


def _hidden_activations(
    W: Float[Tensor, "model m n"], p: Float[Tensor, " model"], samples: int, generator: torch.Generator
) -> Float[Tensor, "model sample m"]:
    """Draw samples of independent features and return h = Wx of every model."""
    absent = 1 - p[:, None, None]
    x = torch.rand(len(W), samples, W.shape[2], generator=generator)
    return functional.relu((x - absent) / p[:, None, None]) @ W.mT


def _train(
    W: Float[Tensor, "model m n"], p: Float[Tensor, " model"], size: int, generator: torch.Generator
) -> tuple[Dictionary, Dictionary, Float[Tensor, "model penalty 1 element"]]:
    """Return D, E and c of autoencoders that were trained with every penalty on every model, [model, penalty, …]."""
    shape = (len(W), len(PENALTIES))
    directions = functional.normalize(torch.randn(*shape, W.shape[1], size, generator=generator), dim=2)
    E, c = directions.clone(), torch.zeros(*shape, 1, size)
    parameters = [part.requires_grad_() for part in (directions, E, c)]
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, TRAINING_STEPS)
    penalty = torch.tensor(PENALTIES)[:, None]
    for _ in range(TRAINING_STEPS):
        h = _hidden_activations(W, p, BATCH, generator)[:, None]
        D = functional.normalize(directions, dim=2)
        code = functional.relu(h @ E + c)
        loss = (code @ D.mT - h).square().sum(-1) + penalty * code.sum(-1)
        optimizer.zero_grad()
        # The sum over autoencoders, not their mean, so that each is trained as if it were alone.
        loss.mean(-1).sum().backward()
        optimizer.step()
        schedule.step()
    return functional.normalize(directions, dim=2).detach(), E.detach(), c.detach()


def _nearest(
    directions: Float[Tensor, "*batch m direction"], others: Float[Tensor, "*batch m other"]
) -> Float[Tensor, "*batch direction"]:
    """Return the cosine of every direction to the nearest of the others."""
    return (functional.normalize(directions, dim=-2).mT @ others).amax(-1)


def _compare(
    features: Float[Tensor, "dictionary m n"], dictionary: Float[Tensor, "dictionary m element"]
) -> tuple[Float[Tensor, " dictionary"], Int[Tensor, " dictionary"]]:
    """Return the mean cosine of features to the nearest element, and the number of features that are recovered."""
    to_element = _nearest(features, dictionary)
    between = geometry.cosines(features)
    to_feature = (between - 2 * torch.eye(between.shape[-1])).amax(-1)
    return to_element.mean(-1), (to_element.arccos() < to_feature.arccos() / 2).sum(-1)
