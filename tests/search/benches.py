"""Benches for small families of sweeps, and models that are drawn for them."""

from concurrent.futures import ThreadPoolExecutor

import torch

from superposition.core.experiment.sweep import Sweep
from superposition.search.conditions import Family
from superposition.search.constructions import Candidate
from superposition.search.polishing import Bench


def bench_of(common: dict[str, object], **sweeps: dict[str, object]) -> Bench:
    """Return a bench for sweeps that have some keys in common."""
    return Bench(Family({name: Sweep.parse(common | keys) for name, keys in sweeps.items()}), ThreadPoolExecutor(1))


def drawn(bench: Bench, each: int = 1, seed: int = 0) -> list[Candidate]:
    """Return some models for every condition."""
    generator = torch.Generator().manual_seed(seed)
    return [
        Candidate(k, f"drawn {seed} {j}", 0.5 * torch.randn(c.model.size, generator=generator))
        for j in range(each)
        for k, c in enumerate(bench.family.conditions)
    ]
