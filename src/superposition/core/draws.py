"""Counter-based random numbers: each one depends only on where it is used.

Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) turns a counter and a key into
four 32-bit numbers. The key is (seed, restart); the counter holds the sample, the row and the step. A draw is therefore
the same in every chunk, thread, job and engine, and instances that share a stream see the same noise (common random
numbers).
"""

import math

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

# The purpose of a draw is the last word of its counter.
TRAINING, EVALUATION, INITIAL = 0, 1, 2

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def philox(
    counter: Int64[Tensor, "word=4 *#batch"], key: Int64[Tensor, "word=2 *#batch"]
) -> Int64[Tensor, "word=4 *batch"]:
    """Apply the ten rounds of Philox4x32; counter and key, 32-bit words held in int64, are broadcast."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        # These products may exceed 63 bits; their wrap-around leaves all 64 bits as they should be.
        a, b = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = ((b >> 32) & _MASK) ^ c1 ^ k0, b & _MASK, ((a >> 32) & _MASK) ^ c3 ^ k1, a & _MASK
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return torch.stack(torch.broadcast_tensors(c0, c1, c2, c3))


def uniforms(
    key: Int64[Tensor, "stream 2"],
    rows: int,
    first_sample: int | Int64[Tensor, "1"],
    samples: int,
    step: int | Int64[Tensor, "1"],
    purpose: int,
) -> Float32[Tensor, "stream row sample"]:
    """Draw uniform numbers in [0, 1), with 24 bits each, for some samples of one step.

    Args:
        key: (seed, restart) of every stream.
        rows: Numbers per sample.
        first_sample: Number of the first of these samples within the step.
        samples: How many there are.
        step: Number of the step, counted from 0.
        purpose: ``TRAINING`` or ``EVALUATION``.
    """
    device = key.device
    sample = first_sample + torch.arange(samples, device=device)
    quad = torch.arange((rows + 3) // 4, device=device)
    shape = (len(key), len(quad), samples)
    counter = torch.stack(
        [
            sample.expand(shape),
            quad[:, None].expand(shape),
            step + torch.zeros(shape, dtype=torch.int64, device=device),
            torch.full(shape, purpose, device=device),
        ]
    )
    words = philox(counter, key.T[:, :, None, None])  # [word, stream, quad, sample]
    words = words.permute(1, 2, 0, 3).flatten(1, 2)[:, :rows]
    return (words >> 8).to(torch.float32) * 2.0**-24


def normals(
    key: Int64[Tensor, "instance 2"], point: Int64[Tensor, "instance 2"], count: int
) -> Float[Tensor, "instance count"]:
    """Draw standard normal numbers (Box–Muller, float64) for the initial weights of every instance.

    An instance is identified by its key (seed, restart) and by the two 32-bit words of its point.
    """
    quad = torch.arange((count + 1) // 2)
    counter = torch.stack(torch.broadcast_tensors(quad, point[:, :1], point[:, 1:], torch.tensor(INITIAL)))
    words = philox(counter, key.T[:, :, None]).to(torch.float64)
    radius = torch.sqrt(-2 * torch.log((words[0] + 0.5) * 2.0**-32))
    angle = 2 * math.pi * words[1] * 2.0**-32
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1).flatten(1)[:, :count]
