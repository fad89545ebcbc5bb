"""Independent evidence that the best known models are good, apart from the search that found them.

    python benchmarks/optimality.py small   # up to 8 features in one and two dimensions: very many starts
    python benchmarks/optimality.py large   # n = 400: products of polytopes and five long trainings; after a full run

Every table is printed as Markdown.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.search.certificate import find_best
from superposition.theory import branches, tegum
from superposition.training.evaluation import losses
from superposition.training.runner import train

# Starts at every density, and how many of their ends, those with the lowest losses, are followed to exact minima.
STARTS, FOLLOWED = 1024, 8
SIZES = ((3, 1), (5, 1), (8, 1), (4, 2), (5, 2), (6, 2), (7, 2), (8, 2))
DENSITIES = (0.5, 0.1, 0.02)
# The trainings of the large models: their seeds, and how many times longer they are than those of the sweep.
SEEDS, LONGER = 5, 2
LARGE_DENSITIES = (0.681292069058, 0.464158883361, 0.1)


def precise_minimum(models: SweepResult, count: int) -> np.ndarray:
    """Return the lowest precise loss that quasi-Newton searches from the best models of each density reach."""
    density = torch.from_numpy(models.sweep.densities())
    ranked = models.loss.argsort(dim=1)[:, :count]
    point = torch.arange(len(density))[:, None]
    W, b = (models.parameters[k][point, ranked].double().flatten(0, 1) for k in ("W", "b"))
    _, _, loss = branches.follow(W, b, density.repeat_interleave(ranked.shape[1], dim=0))
    return loss.view(len(density), -1).min(dim=1).values.numpy()


def small() -> pd.DataFrame:
    """Compare the search from twenty starts with very many starts."""
    rows = []
    for n, m in SIZES:
        sweep = Sweep(model="relu_output", n=n, m=m, density=DENSITIES, restarts=20, steps=2000, batch=512)
        known = find_best({"small": train(sweep)})["small"]
        many = precise_minimum(train(sweep.model_copy(update={"restarts": STARTS})), FOLLOWED)
        best = precise_minimum(known.models, 1)
        sources = known.table["source"]
        rows += [(n, m, *row) for row in zip(DENSITIES, many, best, best / many - 1, sources, strict=True)]
    return pd.DataFrame(rows, columns=["n", "m", "1-S", f"best of {STARTS}", "best known", "gap", "source"])


def large() -> pd.DataFrame:
    """Compare the best known models of n = 400, m = 20 with products of polytopes and with long trainings."""
    known = SweepResult.load(Path("results/paper/best/uniform/uniform_400_20.safetensors"))
    entry = {"density": LARGE_DENSITIES, "steps": LONGER * known.sweep.steps}
    sweep = known.sweep.model_copy(update=entry | {"seeds": SEEDS})
    long = train(sweep).best()
    which = [int(np.argmin(np.abs(np.array(known.sweep.density) - p))) for p in LARGE_DENSITIES]
    one = sweep.model_copy(update={"seeds": 1})
    models = {k: torch.cat([v[which][:, None], long[k].unflatten(0, (-1, SEEDS))], 1) for k, v in known.best().items()}
    loss, _ = losses(one, {k: v.float() for k, v in models.items()})
    optima = tegum.optima(LARGE_DENSITIES)
    best = tegum.per_dimension(optima).set_index("density").loc[[*LARGE_DENSITIES]]
    dropped = np.array(LARGE_DENSITIES) / 3 - np.array(LARGE_DENSITIES) ** 2 / 4
    # No product saves more per dimension than the best polytope does.
    bound = (known.sweep.n - known.sweep.m * best["gain"].to_numpy()) * dropped
    columns = {"1-S": LARGE_DENSITIES, "best known": loss[:, 0], "best product, at least": bound}
    columns |= {f"long training {k + 1}": loss[:, 1 + k] for k in range(SEEDS)}
    return pd.DataFrame(columns)


if __name__ == "__main__":
    print({"small": small, "large": large}[sys.argv[1]]().to_markdown(index=False, floatfmt=".6g"))
