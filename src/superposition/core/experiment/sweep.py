"""The specification of one experiment: a grid of models, and how they are trained.

A :class:`Sweep` is plain data, read from an entry of ``config.yaml`` under ``experiments`` or built in a notebook.
This module does not import PyTorch, so that reading a configuration is fast.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from superposition.core.errors import SuperpositionError
from superposition.core.experiment import cost
from superposition.core.experiment.grid import BUILT_IN_MODELS, Grid
from superposition.core.validation import explain

# Points whose exact optima are searched together, as one batch.
POINTS_PER_SEARCH = 421
# Feature values in one batch of all instances that the reference engine trains together: the cache holds the tensors.
REFERENCE_BLOCK_VALUES = 2**18


class Sweep(Grid):
    """A grid of conditions for one architecture, and how its models are trained.

    With ``attack``, every training sample is perturbed by the analytic attack on a random feature, while the target
    stays the unperturbed sample. With ``l1``, the sum of the hidden units' absolute values is minimised as well.
    """

    solver: Annotated[
        Literal["adam", "exact"],
        Field(description="adam: train on samples; exact: search the minima of the exact expected loss (n ≤ 3)"),
    ] = "adam"
    steps: Annotated[int, Field(ge=1, le=1_000_000, description="number of optimizer steps (AdamW)")] = 3000
    batch: Annotated[int, Field(ge=2, le=1_000_000, description="samples per step")] = 1024
    learning_rate: Annotated[float, Field(gt=0, le=10, description="peak learning rate")] = 0.01
    schedule: Annotated[
        Literal["cosine", "constant"], Field(description="learning rate schedule; cosine falls to 0 at the end")
    ] = "cosine"
    warmup: Annotated[
        float, Field(ge=0, le=1, description="share of the steps in which the learning rate rises linearly from 0")
    ] = 0.0
    weight_decay: Annotated[
        float, Field(ge=0, le=1, description="decoupled weight decay (AdamW); with 0 the optimizer is Adam")
    ] = 0.0
    initial_scale: Annotated[
        float,
        Field(gt=0, le=100, allow_inf_nan=False, description="scale of the initial weights, over Xavier-normal ones"),
    ] = 1.0
    initial_bias: Annotated[
        Literal["zero", "centred"],
        Field(description="centred: outputs start with the mean of their features (needs a linear hidden layer)"),
    ] = "zero"
    snapshots: Annotated[
        int, Field(ge=0, description="number of evenly spaced snapshots of the weights during training")
    ] = 0
    evaluation: Annotated[
        int,
        Field(ge=1, le=2**30, description="feature values drawn to rank restarts by losses that are not exact"),
    ] = 2**22

    @model_validator(mode="after")
    def _consistent_training(self) -> "Sweep":
        if self.initial_bias == "centred" and not self.plain:
            raise ValueError(
                "initial_bias: centred needs independent features, uniform on [0, 1], and a tied model with a linear "
                "hidden layer"
            )
        if self.solver == "exact" and not self.exactly_solvable:
            raise ValueError(
                "solver: exact needs n ≤ 3 independent features, uniform on [0, 1], a tied model with a linear hidden "
                "layer and a linear or ReLU output, no snapshots, attack, l1, noise and dropout"
            )
        if self.snapshots > self.steps:
            raise ValueError(f"snapshots: {self.snapshots}, allowed are at most as many as steps ({self.steps})")
        return self

    @model_validator(mode="after")
    def _feasible(self) -> "Sweep":
        matrices = 1 + (self.model == "absolute" or self.untied)
        evaluated = 0 if self.solver == "exact" else cost.evaluation_work(self.models, self.evaluation, self.m)
        cost.check_limits(
            models=self.models,
            numbers=self.models * (1 + self.snapshots) * self.n * (1 + self.m * matrices),
            batch=self.batch,
            n=self.n,
            points=self.size,
            header=cost.header_size(self.axes()),
            work=self.work + evaluated,
        )
        return self

    @classmethod
    def parse(cls, entry: Any, where: str = "sweep") -> "Sweep":
        """Build a sweep from plain data, such as an entry of ``config.yaml`` or the metadata of a weights file.

        Args:
            entry: A mapping of keys to values.
            where: Place of the entry, which error messages start with.

        Raises:
            SuperpositionError: A key is unknown, missing or has a value that is not allowed.
        """
        try:
            return cls.model_validate(entry)
        except ValidationError as error:
            raise SuperpositionError(explain(error, where)) from None

    def spec(self) -> str:
        """Return the keys that differ from their defaults as canonical JSON, which identifies the sweep.

        A new key with a default changes no specification. ``Sweep.parse(json.loads(spec))`` restores the sweep.
        """
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True)

    @property
    def exactly_solvable(self) -> bool:
        """Whether the expected loss has a closed form (``exact.expected_loss``) that is small enough to minimise."""
        alone = self.loss_alone and not self.snapshots
        return self.n <= 3 and self.plain and alone and self.output_activation in (None, "linear", "relu")

    @property
    def compiled(self) -> bool:
        """Whether the compiled engine for CPUs can train the models; the reference engine can train any."""
        return (
            self.model in BUILT_IN_MODELS
            and self.values.shape == "uniform"
            and not self.disturbed
            and self.hidden_activation in (None, "linear", "relu")
            and self.output_activation in (None, "linear", "relu", "leaky_relu", "abs")
        )

    @property
    def group_size(self) -> int:
        """Number of consecutive points that no part separates, because they are searched or trained as one batch."""
        if self.solver == "exact":
            return POINTS_PER_SEARCH
        return 1 if self.compiled else max(1, self.reference_block // self.restarts)

    @property
    def reference_block(self) -> int:
        """Number of instances that the reference engine trains together."""
        return max(1, REFERENCE_BLOCK_VALUES // (self.batch * self.n))

    @property
    def max_parts(self) -> int:
        """Largest number of parts into which the points can be split."""
        return -(-self.size // self.group_size)

    def part_range(self, part: int, parts: int) -> range:
        """Return the points of one of several parts, which have about the same size and make up the whole sweep.

        Args:
            part: Number of the part, counted from 1.
            parts: Number of parts.

        Raises:
            SuperpositionError: Not 1 ≤ part ≤ parts ≤ ``self.max_parts``.
        """
        if not 1 <= part <= parts <= self.max_parts:
            raise SuperpositionError(
                f"part {part} of {parts}: this sweep can be split into 1 to {self.max_parts} parts"
            )
        start, stop = (self.group_size * (i * self.max_parts // parts) for i in (part - 1, part))
        return range(start, min(stop, self.size))

    @property
    def work(self) -> float:
        """Work of training, or of the search if the sweep is solved exactly, in feature values (see ``cost``)."""
        if self.solver == "exact":
            return cost.search_work(self.models, self.n)
        slowdown = 1 if self.compiled else cost.REFERENCE_SLOWDOWN
        return slowdown * cost.training_work(self.models, self.steps, self.batch, self.n, self.m)


# The keys that say how models are trained on samples; a sweep that is solved exactly ignores them. Those that a single
# step depends on are the fields of ``engine.TrainingConfig``.
TRAINING_KEYS = tuple(key for key in Sweep.model_fields if key not in Grid.model_fields and key != "solver")
