"""Packings of points on a sphere beside the sparsest trained models, and beside each other."""

import numpy as np
import pandas as pd
import torch

from superposition.analysis import alignment, recognition
from superposition.analysis.representation import is_represented
from superposition.analysis.rows import formatted
from superposition.core.weights import SweepResult
from superposition.theory import exact, packing
from superposition.theory.polytopes import product_name


def compare_with_trained(trained: dict[str, SweepResult]) -> pd.DataFrame:
    """Compare the arrangements of least interference and of least Coulomb energy with the sparsest trained models.

    Fewer than 2m features have many arrangements without any interference, so that the one found is arbitrary and is
    not compared.
    """
    sparsest = {
        (models.sweep.n, models.sweep.m): models.best()["W"][np.argmin(models.sweep.density)].numpy()
        for models in trained.values()
    }
    sizes = [(n, m) for m in (2, 3) for n in range(m + 1, 13)]
    energies = (packing.interference_energy, packing.coulomb_energy)
    solutions = (packing.minimise_energy(energy, sizes) for energy in energies)
    zero, one = torch.zeros(12, dtype=torch.float64), torch.ones(12, dtype=torch.float64)
    rows = []
    for (n, m), (packed, least), (thomson, _) in zip(sizes, *solutions, strict=True):
        row = {
            "m": m,
            "n": n,
            "least_interference": max(least, 0.0),
            "thomson_interference": max(float(packing.interference_energy(thomson)), 0.0),
            "one_active_loss": float(exact.single_active_loss(thomson, zero[:n], one[:n]).sum()),
            "thomson_name": product_name(recognition.find_factors(thomson.numpy())[1]["polytope"]),
            **dict.fromkeys(("apart", "trained_from_packing", "trained_from_thomson"), np.nan),
        }
        if n >= 2 * m:
            row["apart"] = alignment.difference(packed.numpy(), thomson.numpy())
            W = sparsest.get((n, m))
            if W is not None and is_represented((W**2).sum(0)).all():
                row["trained_from_packing"] = alignment.difference(W, packed.numpy())
                row["trained_from_thomson"] = alignment.difference(W, thomson.numpy())
        rows.append(row)
    return pd.DataFrame(rows)


def format_comparison(thomson: pd.DataFrame) -> pd.DataFrame:
    """Format the comparison of the packings with each other and with trained models."""
    columns = {
        "m": "{m}",
        "n": "{n}",
        "least interference Σ ReLU(Ŵ_i·Ŵ_j)²": "{least_interference:.4f}",
        "that of Thomson's solution": "{thomson_interference:.4f}",
        "the two arrangements differ by": "{apart:.3f}",
        "the trained model from the first": "{trained_from_packing:.3f}",
        "from the second": "{trained_from_thomson:.3f}",
    }
    return formatted(thomson, columns).replace("nan", "")
