"""What one experiment trains: the models of a grid of conditions, and how they are trained.

A :class:`Sweep` is plain data. It is what an entry of ``config.yaml`` under ``experiments`` says, and
equally what a notebook builds by hand. This module needs no PyTorch, so that reading a configuration is fast.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from superposition.core import cost
from superposition.core.errors import SuperpositionError
from superposition.core.grid import Grid
from superposition.core.validation import explain

# What says how models are trained on samples; a sweep that is solved exactly has no use for it. What a step depends on
# is ``engine.TrainingConfig``.
TRAINING_KEYS = (
    "steps",
    "batch",
    "learning_rate",
    "schedule",
    "warmup",
    "weight_decay",
    "initial_scale",
    "initial_bias",
    "snapshots",
    "evaluation",
)
# Number of points whose exact optima are searched together.
OPTIMA = 421


class Sweep(Grid):
    """A grid of conditions for one architecture, and how its models are trained.

    The grid is the product of the axes ``density``, ``relative_density``, ``relative_importance``,
    ``distribution``, ``attack``, ``l1`` and ``seeds``; at every point ``restarts`` models are trained from different
    initial weights. With ``attack`` every training sample is under the analytic attack on a random feature; what is
    asked for stays the sample itself. With ``l1`` the sum of the hidden units' absolute values is minimised, too.
    """

    solver: Annotated[
        Literal["adam", "exact"],
        Field(
            description="adam: trained on samples; exact: minima of the exact expected loss (n ≤ 3), from many starts"
        ),
    ] = "adam"
    steps: Annotated[int, Field(ge=1, le=1_000_000, description="of the optimizer, AdamW")] = 3000
    batch: Annotated[int, Field(ge=2, le=1_000_000, description="samples per step")] = 1024
    learning_rate: Annotated[float, Field(gt=0, le=10, description="the largest, before the schedule lowers it")] = 0.01
    schedule: Annotated[
        Literal["cosine", "constant"], Field(description="of the learning rate; the cosine reaches 0 at the end")
    ] = "cosine"
    warmup: Annotated[
        float, Field(ge=0, le=1, description="share of the steps during which the learning rate rises from 0")
    ] = 0.0
    weight_decay: Annotated[float, Field(ge=0, le=1, description="AdamW's; 0 is Adam")] = 0.0
    initial_scale: Annotated[
        float, Field(gt=0, le=100, allow_inf_nan=False, description="of the first weights, over Xavier-normal ones")
    ] = 1.0
    initial_bias: Annotated[
        Literal["zero", "centred"],
        Field(description="centred: the outputs start with the right mean (linear hidden layer, independent features)"),
    ] = "zero"
    snapshots: Annotated[int, Field(ge=0, description="weights kept along training, evenly spaced")] = 0
    evaluation: Annotated[
        int,
        Field(
            ge=1,
            le=2**30,
            description="numbers drawn (samples × features) to rank restarts by, where losses are not exact",
        ),
    ] = 2**22

    @model_validator(mode="after")
    def _consistent_training(self) -> "Sweep":
        if self.initial_bias == "centred" and not (self.independent and self.model in ("linear", "relu_output")):
            raise ValueError(
                "initial_bias: centred needs independent features in [0, 1] and a model with a linear hidden layer"
            )
        if self.solver == "exact" and not self.exactly_solvable:
            raise ValueError(
                "solver: exact needs n ≤ 3 independent features in [0, 1], a model with a linear hidden layer, "
                "no snapshots, no attack and no l1"
            )
        if self.snapshots > self.steps:
            raise ValueError(f"snapshots: {self.snapshots} of {self.steps} steps")
        return self

    @model_validator(mode="after")
    def _feasible(self) -> "Sweep":
        evaluated = 0 if self.solver == "exact" else cost.evaluation_work(self.models, self.evaluation, self.m)
        cost.check(
            models=self.models,
            numbers=self.models * (1 + self.snapshots) * self.n * (1 + self.m * (1 + (self.model == "absolute"))),
            batch=self.batch,
            n=self.n,
            points=self.size,
            header=cost.header_size(self.axes()),
            work=self.work + evaluated,
        )
        return self

    @classmethod
    def parse(cls, entry: Any, where: str = "sweep") -> "Sweep":
        """A sweep from plain data, such as an entry of ``config.yaml`` or the metadata of a weights file.

        Raises SuperpositionError, one line that starts with ``where`` and the key at fault.
        """
        try:
            return cls.model_validate(entry)
        except ValidationError as error:
            raise SuperpositionError(explain(error, where)) from None

    def spec(self) -> str:
        """The sweep as canonical JSON, every default written out. ``Sweep.parse(json.loads(spec))`` gives it back."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    @property
    def exactly_solvable(self) -> bool:
        """The expected loss has a closed form (``exact.expected_loss``) that is small enough to search."""
        plain = self.independent and not (self.attacked or self.penalised or self.snapshots)
        return self.n <= 3 and plain and self.model in ("linear", "relu_output")

    @property
    def unit(self) -> int:
        """How many points a part is made of: those whose exact optima are looked for together, else one."""
        return OPTIMA if self.solver == "exact" else 1

    @property
    def parts(self) -> int:
        """Into how many parts the points can be split."""
        return -(-self.size // self.unit)

    def part(self, part: int, parts: int) -> range:
        """The points of one of several parts, counted from 1. Parts of about the same size make up the whole.

        Raises SuperpositionError unless 1 ≤ part ≤ parts ≤ ``self.parts``.
        """
        if not 1 <= part <= parts <= self.parts:
            raise SuperpositionError(f"part {part} of {parts}: allowed are 1 to {self.parts} parts of this sweep")
        start, stop = (self.unit * (i * self.parts // parts) for i in (part - 1, part))
        return range(start, min(stop, self.size))

    @property
    def work(self) -> float:
        """How long training takes, or the search where the sweep is solved exactly; see ``cost``."""
        if self.solver == "exact":
            return cost.search_work(self.models, self.n)
        return cost.training_work(self.models, self.steps, self.batch, self.n, self.m)
