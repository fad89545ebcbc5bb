"""Tensors in double precision."""

import numpy as np
import torch


def tensor(values: object) -> torch.Tensor:
    """Return numbers, nested sequences of them or an array as a tensor in double precision."""
    return torch.from_numpy(np.asarray(values, dtype=float).copy())
