"""Counter-models for the privileged basis, and the models that the paper describes, from which they differ."""

import dataclasses
import functools

import numpy as np
import pandas as pd
import torch
from tests.real import CONFIG

from superposition.core.weights import SweepResult
from superposition.paper.privileged import measure
from superposition.pipeline.judging.claims import Tables

M, N = 5, 10
SIZES = {"restarts": 60, "evaluation": 2**13}  # the losses of the models here lie far apart


def alone(*features: int) -> np.ndarray:
    """Return a neuron for each of these features; other neurons are unused."""
    W = np.zeros((M, N))
    W[range(len(features)), features] = 1
    return W


def coded(one: int, codes: list[str]) -> np.ndarray:
    """Return ``one`` neurons with a feature each; the next features have codes over the others, as text of 0 and 1."""
    W = alone(*range(one))
    for feature, word in enumerate(codes, one):
        for neuron, bit in enumerate(word, one):
            W[neuron, feature] = 1 if bit == "1" else -0.6
    return W


PAIRS = [f"{(1 << i) + (1 << j):05b}" for i in range(5) for j in range(i)]
EIGHT = ["00111", "10011", "10101", "10110", "01001", "01100", "01010", "11000"]
STATED = {  # of the paper's kind at every density
    1.0: coded(5, []),
    0.7: coded(5, []),
    0.5: coded(5, []),
    0.35: coded(3, ["11", "10", "01"]),
    0.25: coded(3, ["10", "11", "01"]),
    0.2: coded(3, ["01", "10", "11"]),
    0.15: coded(2, ["110", "011", "101", "100", "111"]),
    0.12: coded(1, ["1100", "1010", "0110", "0011", "0101", "1001"]),
    0.08: coded(0, EIGHT),
    0.065: coded(0, EIGHT),
    0.05: coded(0, EIGHT),
    0.04: coded(0, PAIRS),
    0.03: coded(0, PAIRS),
    0.02: coded(0, PAIRS),
}


def made(experiment: str, W: np.ndarray, b_hidden: float = 0.5, loss: np.ndarray | None = None) -> SweepResult:
    """Return models with these weights, [point, restart, m, n]."""
    sweep = CONFIG.sweeps[experiment].model_copy(update=SIZES)
    shape = W.shape[:2]
    parameters = {"W": torch.from_numpy(np.array(W)).float(), "b": torch.zeros(*shape, N)}
    if sweep.hidden_bias:
        parameters["b_hidden"] = torch.full((*shape, M), b_hidden)
    loss = np.broadcast_to(1 + np.arange(shape[1]) / 100, shape) if loss is None else loss
    losses = torch.from_numpy(np.array(loss, dtype=float))
    return SweepResult(sweep, parameters, losses, losses / 1e4)


def turned(W: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(SIZES["restarts"], M, M)))
    return (q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None]) @ W


def codes_of(models: SweepResult) -> dict[str, pd.DataFrame]:
    return measure.privileged_neurons({"privileged": models})


def of_kinds(kinds: dict[float, np.ndarray]) -> SweepResult:
    """Return models whose first six restarts are of these kinds, in various orders and slightly off.

    The outputs of all other restarts are far off.
    """
    rng = np.random.default_rng(2)
    W = np.zeros((len(kinds), SIZES["restarts"], M, N))
    for point, kind in enumerate(kinds.values()):
        for restart in range(6):
            W[point, restart] = kind[rng.permutation(M)] + rng.normal(0, 0.01, (M, N))
    models = made("privileged", W)
    models.parameters["b"][:, 6:] = 5
    return models


def random_weights(experiment: str, seed: int) -> SweepResult:
    """Return models with random weights, [point, restart, m, n]."""
    shape = (len(CONFIG.sweeps[experiment].density), SIZES["restarts"], M, N)
    return made(experiment, np.random.default_rng(seed).normal(size=shape))


@functools.cache
def compared(b_hidden: float = 0.5, linear_model: str = "linear") -> Tables:
    """Return the comparison of architectures for random weights, with a given hidden bias and kind of linear layer."""
    models = {name: random_weights(name, seed) for seed, name in enumerate(("privileged_linear", "privileged"))}
    shape = (len(CONFIG.sweeps["privileged_bias"].density), SIZES["restarts"], M, N)
    models["privileged_bias"] = made("privileged_bias", np.zeros(shape), b_hidden=b_hidden)
    linear = models["privileged_linear"]
    sweep = linear.sweep.model_copy(update={"model": linear_model})
    models["privileged_linear"] = dataclasses.replace(linear, sweep=sweep)
    return {"privileged_vs_not": measure.privileged_vs_not(models)} | polysemantic()


@functools.cache
def random_codes() -> Tables:
    """Return the codes of random weights."""
    return {"privileged_neurons": codes_of(random_weights("privileged", 2))}


@functools.cache
def polysemantic() -> Tables:
    """Return the codes of models of eight features in five neurons at every density."""
    return {"privileged_neurons": codes_of(of_kinds(dict.fromkeys(STATED, STATED[0.08])))}


COUNTER_MODELS = {
    "rotation": lambda: compared(linear_model="relu_hidden"),
    "aligned": compared,
    "bias_escape": lambda: compared(b_hidden=-0.5),
    "regimes": random_codes,
    "codes": random_codes,
    "shift": polysemantic,
    "same_code_in_range": random_codes,
}
