"""What the search finds for small families of models made by hand, in a few seconds."""

from dataclasses import replace

import numpy as np
import pandas as pd
from tests.paper.made import models_of

from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.search.certificate import find_best
from superposition.training.evaluation import is_exact, losses

COMMON = {"density": [0.5, 0.1, 0.02], "restarts": 3, "steps": 60, "batch": 128, "evaluation": 2**14}
FAMILIES: dict[str, dict[str, dict[str, object]]] = {
    "uniform": {
        "main": {"model": "relu_output", "n": 6, "m": 2, "seeds": 2},
        "wider": {"model": "relu_output", "n": 12, "m": 4},
        "more": {"model": "relu_output", "n": 16, "m": 2},
    },
    "falling": {
        "trained": {"model": "relu_output", "n": 16, "m": 3, "importance": {"decay": 0.7}},
        "penalised": {"model": "relu_output", "n": 16, "m": 3, "importance": {"decay": 0.7}, "l1": [0, 0.1]},
        "linear": {"model": "linear", "n": 16, "m": 3, "importance": {"decay": 0.7}},
    },
    "neurons": {"hidden": {"model": "relu_hidden", "n": 8, "m": 4, "hidden_bias": True, "importance": {"decay": 0.8}}},
    "signed": {"absolute": {"model": "absolute", "n": 5, "m": 8, "distribution": "signed"}},
    "correlated": {"sets": {"model": "relu_output", "n": 4, "m": 2, "distribution": {"correlated": [[0, 1], [2, 3]]}}},
}


def numbers() -> dict[str, np.ndarray]:
    """Return the numbers of every sweep's certificate, and which points have the same source."""
    found = {}
    for family, sweeps in FAMILIES.items():
        trained = {name: _models(Sweep.parse(COMMON | keys), f"{family} {name}") for name, keys in sweeps.items()}
        for name, best in find_best(trained, threads=1).items():
            for column in ("trained", "known", "excess", "gap", "trained_error", "excess_error"):
                found[f"{family}/{name}/{column}"] = best.table[column].to_numpy()
            found[f"{family}/{name}/source"] = pd.factorize(best.table["source"])[0]
    return found


def _models(sweep: Sweep, name: str) -> SweepResult:
    """Return models made by hand, with their true losses where training finds these exactly."""
    models = models_of(sweep, name)
    return replace(models, loss=losses(sweep, models.parameters)[0]) if is_exact(sweep) else models
