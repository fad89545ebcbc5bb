"""The instances of a sweep, and how they are cut into the blocks that engines train."""

import hashlib
import itertools
import json

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from superposition.core import draws
from superposition.core.features import Gates
from superposition.core.models import Model
from superposition.core.sweep import Sweep
from superposition.theory import exact
from superposition.training.engine import Block

# Parameters of one block on a CPU: they stay in the second-level cache.
BLOCK_STATE = 2**16
# Numbers in one batch of a block on a GPU: a gigabyte or two with all that is made of them.
BLOCK_DATA = 2**24


class Plan:
    """The instances at some points of a sweep, in the order (point, restart), and how they are cut into blocks."""

    def __init__(self, sweep: Sweep, part: tuple[int, int] = (1, 1)) -> None:
        here = sweep.part_range(*part)
        self.sweep, self.model, self.first = sweep, Model.of(sweep), here.start
        self.points = sweep.points(here)
        self.densities, self.importances = sweep.densities(here), sweep.importances(here)
        self.distributions = sweep.distributions(here)
        self.has_sets = any(d.sets for d in sweep.distribution)
        self.attack, self.l1 = (self.points[k].to_numpy() for k in ("attack", "l1"))
        if sweep.attacked:
            self.attack = self.attack * exact.mean_norm(torch.from_numpy(self.densities)).numpy()
        self.count = len(self.points) * sweep.restarts

    def __len__(self) -> int:
        return self.count

    def block(self, instances: np.ndarray) -> Block:
        point, restart = np.divmod(instances, self.sweep.restarts)
        seed = self.points["seed"].to_numpy()[point]
        gates = Gates.of(
            self.densities[point],
            [self.distributions[i] for i in point],
            has_sets=self.has_sets,
            conditional=self.attack[point] == 0,  # an attack changes the empty sample, too
        )
        attack, l1 = (torch.from_numpy(a[point].astype(np.float32)) for a in (self.attack, self.l1))
        return Block(
            self.model,
            gates,
            torch.from_numpy(self.importances[point].astype(np.float32)),
            torch.from_numpy(np.stack([seed, restart], axis=1)),
            attack if self.sweep.attacked else None,
            l1 if self.sweep.penalised else None,
        )

    def identity(self, instances: np.ndarray) -> Int64[Tensor, "instance 2"]:
        """Two words that say which point an instance is at, by its coordinates and not by its place in the grid:
        a point's models do not change when others are added to its sweep. What models are trained against does not
        count: they start from the same weights."""
        points, which = np.unique(instances // self.sweep.restarts, return_inverse=True)
        coordinates = self.points.iloc[points].drop(columns=["attack", "l1", "seed"]).to_dict(orient="split")["data"]
        digests = [hashlib.blake2b(json.dumps(values).encode(), digest_size=8).digest() for values in coordinates]
        words = np.frombuffer(b"".join(digests), dtype="<u4").reshape(-1, 2).astype(np.int64)
        return torch.from_numpy(words[which])

    def initial(self, block: Block, instances: np.ndarray) -> Float32[Tensor, "instance size"]:
        """Xavier-normal weights by the sizes of one instance, and biases of zero, as in the authors' notebook; the
        weights times ``initial_scale``.

        With a centred bias the outputs, but for their ReLU, start with the mean of the features: b = (1 - WᵀW) E[x].
        In large dense models the means would otherwise push outputs so far below 0 that they stay there for good.

        The absolute model's output weights start at their absolute values: hidden units and targets are never below
        0, and an output that starts there for most samples stays there.
        """
        model = self.model
        parameters = torch.zeros(len(block), model.size)
        matrices = [p for k, p in model.unpack(parameters).items() if k.startswith("W")]
        drawn = draws.normals(block.key, self.identity(instances), len(matrices) * model.n * model.m)
        scale = self.sweep.initial_scale * (2 / (model.n + model.m)) ** 0.5
        for matrix, part in zip(matrices, drawn.split(model.n * model.m, dim=1), strict=True):
            matrix.copy_(scale * part.unflatten(1, (model.m, model.n)))
        if model.absolute:
            model.unpack(parameters)["W_out"].abs_()
        if self.sweep.initial_bias == "centred":
            p, density = model.unpack(parameters), self.densities[instances // self.sweep.restarts]
            mean, W = exact.feature_mean(torch.from_numpy(density)), p["W"].double()
            # Sums, not matrix products: those may round by the number of instances that are made together.
            hidden = (W * mean[:, None, :]).sum(-1)
            p["b"].copy_(mean - (W * hidden[:, :, None]).sum(-2))
        return parameters

    def blocks(self, device: torch.device, threads: int) -> list[np.ndarray]:
        """Numbers of the instances of each block. On a CPU the instances of a block share their stream of data.

        On a GPU all blocks of a sweep, also those of its other parts, are of one size, so that they share a compilation
        and the very same arithmetic: the last one is filled up with instances that are in it already.
        """
        if device.type == "cuda":
            whole = self.sweep.models
            size = -(-whole // -(-whole * self.sweep.batch * self.model.n // BLOCK_DATA))
            return [np.resize(np.arange(i, min(i + size, self.count)), size) for i in range(0, self.count, size)]
        instance = np.arange(self.count)
        point, restart = np.divmod(instance, self.sweep.restarts)
        stream = self.points["seed"].to_numpy()[point] * self.sweep.restarts + restart
        streams = [instance[stream == s] for s in np.unique(stream)] if self.count > 1 else [instance]
        # As few blocks as keep all threads busy to the end (they share their draws), and none larger than the cache.
        count = len(streams)
        parts = next(k for k in itertools.count(1) if count * k % threads == 0 or count * k >= 4 * threads)
        size = max(1, min(BLOCK_STATE // self.model.size, -(-len(streams[0]) // parts)))
        # Cut from the end: the first densities of a sweep are its largest, by custom, and their models take longest.
        return [s[max(0, i - size) : i] for s in streams for i in range(len(s), 0, -size)]

    def chunks(self, device: torch.device, threads: int) -> list[np.ndarray]:
        """Numbers of the instances that are evaluated together: all see the same draws."""
        if device.type == "cuda":
            return self.blocks(device, threads)
        parts = max(threads, -(-self.count * self.model.size // BLOCK_STATE))
        return np.array_split(np.arange(self.count), min(parts, self.count))

    def name(self, instance: int) -> str:
        point, restart = divmod(int(instance), self.sweep.restarts)
        return ", ".join(f"{k} {v}" for k, v in self.points.iloc[point].items()) + f", restart {restart}"
