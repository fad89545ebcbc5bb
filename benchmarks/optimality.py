"""Independent evidence that the best known models are good, apart from the search that found them.

    python benchmarks/optimality.py small     # up to 8 features in one and two dimensions: very many starts
    python benchmarks/optimality.py followed  # branches of solutions that were followed exactly, after a full run
    python benchmarks/optimality.py large     # n = 400: products of polytopes and five long trainings, after a full
                                              # run; a minute on a GPU of the H100's class, and hours on a CPU

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
from superposition.search.conditions import Family
from superposition.search.constructions import known_models
from superposition.theory import branches
from superposition.training.evaluation import losses
from superposition.training.runner import train

# Starts at every density, and how many of their ends, those with the lowest losses, are followed to exact minima.
STARTS, FOLLOWED = 1024, 8
SIZES = ((3, 1), (5, 1), (8, 1), (4, 2), (5, 2), (6, 2), (7, 2), (8, 2))
DENSITIES = (0.5, 0.1, 0.02)
# The trainings of the large models: their hidden dimensions, their densities, which are on the grids of all sizes, and
# the number of seeds, steps and samples in a step, four times and twice those of the sweeps.
LARGE, SEEDS, STEPS, BATCH = (20, 30, 40), 5, 12000, 2048
LARGE_DENSITIES = (0.681292069058, 0.464158883361, 0.215443469003, 0.1, 0.0316227766017, 0.01)
# The experiments whose solutions are followed from point to point, with the figures that have the branches.
FOLLOWED_IN = {"pentagon": "pentagon_loss", "collapse": "collapse"}
# Independent groups of draws, which give the errors of differences between losses, their seeds, which chose no model,
# and the feature values in each.
GROUPS, FIRST_SEED, VALUES = 16, 9000, 2**22


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
    """Compare the best known models of n = 400 with the best products of polytopes and with long trainings."""
    rows = []
    for m in LARGE:
        known = SweepResult.load(Path(f"results/paper/best/uniform/uniform_400_{m}.safetensors"))
        keys = {"density": LARGE_DENSITIES, "seeds": SEEDS, "steps": STEPS, "batch": BATCH}
        sweep = known.sweep.model_copy(update=keys)
        conditions = Family({"large": sweep.model_copy(update={"seeds": 1})}).conditions
        products = [known_models(number, condition)[0] for number, condition in enumerate(conditions)]
        of_product = known.model.unpack(torch.stack([product.parameters for product in products]))
        which = [known.sweep.density.index(p) for p in LARGE_DENSITIES]
        long = train(sweep).best()
        models = {
            k: torch.cat([v[which][:, None], of_product[k][:, None], long[k].unflatten(0, (-1, SEEDS))], 1).float()
            for k, v in known.best().items()
        }
        drawn = []
        for group in range(GROUPS):
            one = sweep.model_copy(update={"seeds": 1, "seed": FIRST_SEED + group, "evaluation": VALUES})
            drawn.append(losses(one, models)[0].numpy())
        loss = np.stack(drawn)  # [group, density, model]
        excess = (loss[..., 1:] - loss[..., :1]) / loss[..., :1].mean(axis=0)
        mean, error = excess.mean(axis=0), excess.std(axis=0, ddof=1) / GROUPS**0.5
        columns = {"m": m, "1-S": LARGE_DENSITIES, "best known": loss[..., 0].mean(axis=0)}
        columns |= {"product": [product.source for product in products], "of product": mean[:, 0]}
        columns |= {f"long training {k}": mean[:, k] for k in range(1, 1 + SEEDS)}
        rows.append(pd.DataFrame(columns | {"error": error[:, 1:].max(axis=1)}))
    return pd.concat(rows)


def followed() -> pd.DataFrame:
    """Compare the best known models with the lowest of the branches, which are minima of the precise loss."""
    optimality, rows = pd.read_csv("results/paper/optimality.csv"), []
    for experiment, figure in FOLLOWED_IN.items():
        lowest = pd.read_csv(f"results/paper/tables/{figure}/branches.csv").groupby("point")["loss"].min()
        known = optimality[optimality["experiment"] == experiment].reset_index(drop=True).join(lowest, how="inner")
        excess, error = known["known"] / known["loss"] - 1, known["known_error"] / known["loss"]
        rows.append((experiment, len(known), excess.mean(), excess.max(), error.min(), error.max()))
    return pd.DataFrame(rows, columns=["experiment", "points", "mean", "largest", "least error", "largest error"])


if __name__ == "__main__":
    tables = {"small": small, "large": large, "followed": followed}
    print(tables[sys.argv[1]]().to_markdown(index=False, floatfmt=".6g"))
