"""How other replications train, restated in plain eager PyTorch, and the figures that they train for.

What is here are facts about their training (optimizer, steps, batch, draws, first weights), written anew. Progress bars
and logging are left out, to their advantage. ``throughput.py`` measures our training against each of them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from superposition import Sweep

# keltin13 tests the trials of a figure on as many new samples.
TEST_SAMPLES = 10_000

Schedule = Callable[[int, int], float]


def constant(step: int, steps: int) -> float:
    """Return the factor of a constant learning rate."""
    return 1.0


def half_cosine(step: int, steps: int) -> float:
    """Return the factor of a learning rate that falls along half a period of a cosine, to 0 after the last step."""
    return 0.5 * (1 + math.cos(math.pi * step / steps))


def quarter_cosine(step: int, steps: int) -> float:
    """Return the factor of a learning rate that falls along a quarter period of a cosine, to 0 at the last step."""
    return math.cos(0.5 * math.pi * step / max(1, steps - 1))


@dataclass(frozen=True)
class TrainingConfiguration:
    """How a replication trains one tensor of models, all of them side by side.

    Every configuration draws new samples for every model at every step, starts from Xavier-normal weights of the whole
    tensor and biases of 0, and takes the squared error weighted by importance, as a mean over samples and features.
    """

    name: str
    optimizer: type[torch.optim.Adam]
    weight_decay: float
    learning_rate: float
    schedule: Schedule
    batch: int
    steps: int
    # How the losses of the models become the one number whose gradient is taken.
    over_models: Literal["sum", "mean"] = "sum"
    # The largest norm of the gradient of all models together, beyond which it is scaled down.
    clip: float | None = None
    # A value that is active where a uniform number is below the density, or a Bernoulli variable times the value.
    draw: Literal["threshold", "bernoulli"] = "threshold"
    # Axes of the tensor of weights: i for models, f for features, h for hidden. PyTorch's Xavier initialisation of a
    # tensor with three axes depends on their order, and makes weights smaller the more models there are.
    axes: Literal["ifh", "ihf"] = "ifh"


# anthropics/toy-models-of-superposition, toy_models.ipynb: `optimize`, with `generate_batch` and the first weights in
# `Model`.
AUTHORS = TrainingConfiguration("authors' notebook", torch.optim.AdamW, 0.01, 1e-3, constant, batch=1024, steps=10_000)
# callummcdougall/ARENA_3.0, chapter1_transformer_interp/exercises/part31_superposition_and_saes, class `ToyModel`; the
# exercises took 10 000 steps before they took 5000.
ARENA = TrainingConfiguration("ARENA", torch.optim.Adam, 0.0, 1e-3, constant, batch=1024, steps=5000, axes="ihf")
# keltin13/toy-models-of-superposition, Toy_Models_of_Superposition_Code_Companion.ipynb, "Imports and Helper Functions"
# and "Initial Model Definitions"; 2000 steps are those of the figures below.
KELTIN13 = TrainingConfiguration(
    "keltin13",
    torch.optim.AdamW,
    0.01,
    1e-2,
    half_cosine,
    batch=128,
    steps=2000,
    over_models="mean",
    clip=2.0,
    draw="bernoulli",
)
# ymgw55/repro-superposition, empirical_version.py.
YMGW55 = TrainingConfiguration("ymgw55", torch.optim.AdamW, 0.01, 1e-3, quarter_cosine, batch=1024, steps=10_000)


class Models:
    """Models in training side by side, in the order (point, initialisation) of a sweep.

    Parameters
    ----------
    how
        The training configuration.
    sweep
        The points, how many models there are at each, and the size of a model.
    together
        How many models the replication has in one tensor, if not those of the sweep.
    initial
        The first W [instance, m, n] and b [instance, n], if not the replication's own.
    device
        Where they are trained.
    """

    def __init__(
        self,
        how: TrainingConfiguration,
        sweep: Sweep,
        together: int | None = None,
        initial: tuple[Tensor, Tensor] | None = None,
        device: str = "cpu",
    ) -> None:
        self.how, self.step = how, 0
        grid = (torch.from_numpy(a).float().to(device) for a in (sweep.densities(), sweep.importances()))
        self.density, self.importance = (a.repeat_interleave(sweep.restarts, 0) for a in grid)
        if initial is None:
            size = {"i": max(together or 0, sweep.models), "f": sweep.n, "h": sweep.m}
            W = torch.nn.init.xavier_normal_(torch.empty([size[axis] for axis in how.axes]))[: sweep.models].clone()
            b = torch.zeros(sweep.models, sweep.n)
        else:
            W, b = torch.einsum(f"ihf->{how.axes}", initial[0]).clone(), initial[1].clone()
        self.parameters = [p.to(device).requires_grad_() for p in (W, b)]
        self.optimizer = how.optimizer(self.parameters, lr=how.learning_rate, weight_decay=how.weight_decay)

    @property
    def weights(self) -> tuple[Tensor, Tensor]:
        """W [instance, m, n] and b [instance, n], as they are now."""
        W, b = (p.detach() for p in self.parameters)
        return torch.einsum(f"{self.how.axes}->ihf", W), b

    def advance(self, steps: int) -> None:
        """Take the next steps."""
        for _ in range(steps):
            rate = self.how.learning_rate * self.how.schedule(self.step, self.how.steps)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            losses = self.losses(self.how.batch)
            self.optimizer.zero_grad()
            (losses.sum() if self.how.over_models == "sum" else losses.mean()).backward()
            if self.how.clip is not None:
                torch.nn.utils.clip_grad_norm_(self.parameters, self.how.clip)
            self.optimizer.step()
            self.step += 1

    def losses(self, samples: int) -> Tensor:
        """Return the mean loss of each model over new samples and features, [instance]."""
        (W, b), axes = self.parameters, self.how.axes
        x = self.samples(samples)
        h = torch.einsum(f"bif,{axes}->bih", x, W)
        out = torch.relu(torch.einsum(f"bih,{axes}->bif", h, W) + b)
        return (self.importance * (x - out) ** 2).mean(dim=(0, 2))

    def samples(self, count: int) -> Tensor:
        """Draw new samples for every model, [sample, instance, n]."""
        shape = (count, *self.density.shape)
        if self.how.draw == "bernoulli":
            return torch.bernoulli(self.density.expand(shape)) * torch.rand(shape, device=self.density.device)
        active, value = (torch.rand(shape, device=self.density.device) for _ in range(2))
        return torch.where(active <= self.density, value, 0.0)


@dataclass(frozen=True)
class Figure:
    """What a replication trains for one figure."""

    name: str
    how: TrainingConfiguration
    sweep: Sweep
    # How often it trains all models one after the other, to keep the best of each by a test on new samples.
    trials: int = 1
    # How often the whole figure is trained here, for a mean loss; each run is timed.
    runs: int = 1
    # How many models it trains in one tensor, and in all, where those of `sweep` are only some of them.
    together: int | None = None
    models: int | None = None
    # Start from the weights that our training starts from: in which basin a model ends is then no lottery between them.
    same_start: bool = False

    @property
    def scale(self) -> float:
        """How many times as many models the whole figure has as are trained here."""
        return (self.models or self.trials * self.sweep.models) / (self.trials * self.sweep.models)

    def train(self, initial: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Train the figure once; return W [instance, m, n] and b [instance, n] of the best trial of each model."""
        trials = [self._trial(initial) for _ in range(self.trials)]
        W, b, losses = (torch.stack(parts) for parts in zip(*trials, strict=True))
        best = losses.argmin(dim=0), torch.arange(self.sweep.models)
        return W[best], b[best]

    def _trial(self, initial: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        """Train all models once; return W, b and, where there are other trials to choose from, losses."""
        models = Models(self.how, self.sweep, self.together, initial)
        models.advance(self.how.steps)
        with torch.no_grad():
            losses = models.losses(TEST_SAMPLES) if self.trials > 1 else torch.zeros(self.sweep.models)
        return *models.weights, losses


def relu_output(n: int, m: int, density: list[float], decay: float = 1.0, **settings: Any) -> Sweep:
    """Build the sweep of a ReLU-output model with importances decay^i."""
    entry = {"model": "relu_output", "n": n, "m": m, "density": density, "importance": {"decay": decay}}
    return Sweep.model_validate(entry | settings)


def phase_diagram(n: int, m: int, side: int, **settings: Any) -> Sweep:
    """Build a square grid of densities from 1 to 0.01 and of importances of the last feature from 0.1 to 10."""
    importance = {"features": [n - 1], "ratio": {"from": 0.1, "to": 10, "points": side}}
    return relu_output(n, m, np.geomspace(1, 0.01, side).tolist(), relative_importance=importance, **settings)


BASIC_DENSITIES = [1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001]

# Other figures of theirs take the same training to other sizes; these are the ones that fit into some minutes.
FIGURES = (
    # The introduction's figure, "Introduction" in the notebook: 10 densities from 1 to 1/20.
    Figure("introduction", AUTHORS, relu_output(5, 2, (20 ** -np.linspace(0, 1, 10)).tolist(), 0.9), runs=3),
    # The first model of the exercises: 8 densities from 1 to 1/50.
    Figure("introduction", ARENA, relu_output(5, 2, (50 ** -np.linspace(0, 1, 8)).tolist(), 0.9), runs=3),
    # "Demonstrating Superposition" in the notebook.
    Figure("basic results, small", KELTIN13, relu_output(20, 5, BASIC_DENSITIES, 0.7), runs=8),
    Figure("basic results, large", KELTIN13, relu_output(80, 20, BASIC_DENSITIES, 0.9), runs=4),
    # "Superposition as a Phase Change" in the notebook: the best of ten trials at each of 20 × 20 points.
    Figure("phase diagram", KELTIN13, phase_diagram(2, 1, 20), trials=10),
    # 256 × 256 points with 16 models at each, in tensors of 256 points: days. Here 4 × 4 points with 4 models at each.
    Figure("phase diagram", YMGW55, phase_diagram(2, 1, 4, restarts=4), together=256 * 16, models=256 * 256 * 16),
)
