"""The instances of a sweep, and their division into the blocks that engines train."""

import hashlib
import itertools
import json

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from superposition.core import draws
from superposition.core.experiment.grid import MAX_REPLICATES
from superposition.core.experiment.sweep import Sweep
from superposition.core.features import Gates
from superposition.core.models import Model
from superposition.theory import exact
from superposition.training.engine import Block

# Parameters of one block on a CPU, few enough to stay in the second-level cache.
BLOCK_STATE = 2**16
# Numbers in one batch of a block on a GPU; with all tensors derived from them, a block takes a gigabyte or two.
BLOCK_DATA = 2**24
# The coordinates of a point that, besides the seed and the restart, determine the initial weights of its models. They
# are listed by name and never extended, because that would redraw the models of all sweeps. What models are trained
# against (``attack``, ``l1``) is left out, so that models that differ only in this start from the same weights.
INITIAL_COORDINATES = ("density", "relative_density", "relative_importance", "distribution")


class Plan:
    """The instances of a sweep, or of one part (i, k) of it, and their division into blocks.

    Instances are numbered in the order (point, restart), from 0 in every part.
    """

    def __init__(self, sweep: Sweep, part: tuple[int, int] = (1, 1)) -> None:
        which = sweep.part_range(*part)
        self.sweep, self.model, self.first_point = sweep, Model.of(sweep), which.start
        self.points = sweep.points(which)
        self.densities, self.importances = sweep.densities(which), sweep.importances(which)
        self.distributions = sweep.distributions(which)
        self.attack, self.l1 = (self.points[k].to_numpy() for k in ("attack", "l1"))
        self.noise = self.points["noise"].to_numpy() if "noise" in self.points else np.zeros(len(self.points))
        if sweep.attacked:
            self.attack = self.attack * exact.mean_norm(torch.from_numpy(self.densities)).numpy()

    def __len__(self) -> int:
        return len(self.points) * self.sweep.restarts

    def block(self, instances: np.ndarray) -> Block:
        """Build the block of the given instances."""
        point, restart = np.divmod(instances, self.sweep.restarts)
        first_seed = self.sweep.seed * MAX_REPLICATES
        seed = first_seed + self.points["seed"].to_numpy()[point]
        noise = self.noise[point]
        gates = Gates.of(
            self.densities[point],
            [self.distributions[i] for i in point],
            has_sets=self.sweep.has_sets,
            # An attack on the all-zero sample hits a random feature, and noise is random: its loss is not one number.
            conditional=(self.attack[point] == 0) & (noise == 0) & (self.sweep.dropout == 0),
            values=self.sweep.values,
        )
        attack, l1 = (torch.from_numpy(a[point].astype(np.float32)) for a in (self.attack, self.l1))
        return Block(
            self.model,
            gates,
            torch.from_numpy(self.importances[point].astype(np.float32)),
            torch.from_numpy(np.stack([seed, restart], axis=1)),
            attack if self.sweep.attacked else None,
            l1 if self.sweep.penalised else None,
            torch.from_numpy(noise.astype(np.float32)) if any(self.sweep.noise) else None,
            self.sweep.dropout,
            (first_seed, 0),
        )

    def point_hashes(self, instances: np.ndarray) -> Int64[Tensor, "instance 2"]:
        """Hash the point of every instance to two 32-bit words, which seed its initial weights.

        The hash is of the point's coordinates, not of its index in the grid, so a point keeps its models when others
        are added to the sweep.
        """
        points, which = np.unique(instances // self.sweep.restarts, return_inverse=True)
        coordinates = self.points.iloc[points][list(INITIAL_COORDINATES)].to_dict(orient="split")["data"]
        digests = [hashlib.blake2b(json.dumps(values).encode(), digest_size=8).digest() for values in coordinates]
        words = np.frombuffer(b"".join(digests), dtype="<u4").reshape(-1, 2).astype(np.int64)
        return torch.from_numpy(words[which])

    def initial(self, block: Block, instances: np.ndarray) -> Float32[Tensor, "instance size"]:
        """Draw the initial parameters of some instances: Xavier-normal weights, and biases of zero.

        The standard deviation of the weights is √(2 / (n + m)), by the sizes of a single model, times
        ``initial_scale``. The authors' notebook instead applies ``xavier_normal_`` to the three-axis tensor of all
        models, whose fans grow with the number of models, so that its initial weights shrink with it: their standard
        deviation is 0.26 for the ten instances of the introduction, where the sizes of a single model give 0.53.

        With ``initial_bias: centred``, the outputs before their ReLU start with the mean of the features:
        b = (1 - WᵀW) E[x]. In large dense models, a zero bias would let the mean of the input push outputs so far below
        0 that they never become active.

        The output weights of the absolute model start at their absolute values. Its hidden units and targets are never
        negative, and an output that starts below 0 for most samples stays there.
        """
        model = self.model
        parameters = torch.zeros(len(block), model.size)
        matrices = [p for p in model.unpack(parameters).values() if p.ndim == 3]
        sizes = [matrix[0].numel() for matrix in matrices]
        drawn = draws.normals(block.key, self.point_hashes(instances), sum(sizes)).split(sizes, dim=1)
        for matrix, part in zip(matrices, drawn, strict=True):
            scale = self.sweep.initial_scale * (2 / sum(matrix.shape[1:])) ** 0.5
            matrix.copy_(scale * part.unflatten(1, matrix.shape[1:]))
        if model.absolute:
            model.unpack(parameters)["W_out"].abs_()
        if self.sweep.initial_bias == "centred":
            p, density = model.unpack(parameters), self.densities[instances // self.sweep.restarts]
            mean, W = exact.feature_mean(torch.from_numpy(density)), p["W"].double()
            # Sums instead of matrix products, whose rounding may depend on the number of instances in the batch.
            hidden = (W * mean[:, None, :]).sum(-1)
            p["b"].copy_(mean - (W * hidden[:, :, None]).sum(-2))
        return parameters

    def blocks(self, device: torch.device, threads: int) -> list[np.ndarray]:
        """Divide all instances into blocks for training; return the instance numbers of each block.

        In the compiled engine for CPUs, the instances of a block share their stream of data.

        The reference engine trains each group of points (see ``Sweep.group_size``) in blocks of its own. How matrix
        products are rounded depends on where in a block a matrix is, so blocks must be the same in all parts.

        On a GPU, all blocks of a sweep, including those of its other parts, have the same size, so that they share one
        compilation and exactly the same arithmetic; the last block is padded with repetitions of its own instances.
        """
        if device.type == "cuda":
            models = self.sweep.models
            size = -(-models // -(-models * self.sweep.batch * self.model.n // BLOCK_DATA))
            return [np.resize(np.arange(i, min(i + size, len(self))), size) for i in range(0, len(self), size)]
        instance = np.arange(len(self))
        if not self.sweep.compiled:
            group, size = self.sweep.group_size * self.sweep.restarts, self.sweep.reference_block
            groups = [instance[i : i + group] for i in range(0, len(self), group)]
            return [members[i : i + size] for members in groups for i in range(0, len(members), size)]
        point, restart = np.divmod(instance, self.sweep.restarts)
        stream = self.points["seed"].to_numpy()[point] * self.sweep.restarts + restart
        order = np.argsort(stream, kind="stable")
        streams = np.split(order, np.flatnonzero(np.diff(stream[order])) + 1)
        # Use as few blocks as keep all threads busy to the end, because the instances of a block share their draws; but
        # let none outgrow the cache.
        count = len(streams)
        parts = next(k for k in itertools.count(1) if count * k % threads == 0 or count * k >= 4 * threads)
        size = max(1, min(BLOCK_STATE // self.model.size, -(-len(streams[0]) // parts)))
        # Cut from the end, so that a smaller remainder holds the first points of the sweep. These have the largest
        # densities by convention, and their models take longest.
        return [s[max(0, i - size) : i] for s in streams for i in range(len(s), 0, -size)]

    def chunks(self, device: torch.device, threads: int) -> list[np.ndarray]:
        """Divide all instances into chunks for evaluation, in which all see the same draws; see :meth:`blocks`."""
        if device.type == "cuda" or not self.sweep.compiled:
            return self.blocks(device, threads)
        parts = max(threads, -(-len(self) * self.model.size // BLOCK_STATE))
        return np.array_split(np.arange(len(self)), min(parts, len(self)))

    def describe(self, instance: int) -> str:
        """Describe an instance by its coordinates and its restart, for an error message."""
        point, restart = divmod(int(instance), self.sweep.restarts)
        return ", ".join(f"{k} {v}" for k, v in self.points.iloc[point].items()) + f", restart {restart}"
