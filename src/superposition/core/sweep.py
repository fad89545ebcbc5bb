"""What one experiment trains: a model, a feature distribution, a grid of conditions, a recipe.

A :class:`Sweep` is plain data. It is what an entry of ``config.yaml`` under ``experiments`` says, and
equally what a notebook builds by hand. This module needs no PyTorch, so that reading a configuration is fast.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from superposition.core.errors import SuperpositionError, shown

# What says how models are trained on samples; a sweep that is solved exactly has no use for it. What a step depends on
# is ``engine.Recipe``.
RECIPE = (
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
OPTIMA = 421  # points whose exact optima are looked for together
# Beyond these a sweep would train for years, or not fit into the memory of a machine or the header of its file.
MODELS = 10**8
NUMBERS = 10**9  # weights, snapshots among them
BATCH_NUMBERS = 10**8  # a batch of one model
LARGEST_HEADER = 9 * 10**7  # safetensors reads headers of up to 10^8 characters
CORE_HOURS = 10**4
WORK_PER_HOUR = 9e12  # of one core; see Sweep.work
SEARCH = 3e5  # work of a search for an exact optimum, for every output in every pattern of features that are on
LEAST_DENSITY = 1e-30  # float32 has no reciprocals of much smaller ones
COORDINATES = ("density", "relative_density", "relative_importance", "distribution", "attack", "l1", "seed")


class Strict(BaseModel):
    """Unknown keys are errors, numbers are not read from strings, instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class LogRange(Strict):
    """Points spaced evenly in the logarithm, both ends included."""

    start: Annotated[float, Field(gt=0, allow_inf_nan=False, alias="from")]
    stop: Annotated[float, Field(gt=0, allow_inf_nan=False, alias="to")]
    points: Annotated[int, Field(ge=2, le=100_000)]


def _values(axis: Any) -> Any:
    """Every way to write an axis, as a list: one value, a list, or a logarithmic range."""
    if isinstance(axis, dict):
        span = LogRange.model_validate(axis)
        # Rounded to 12 digits: the ends come out exact, and the file reads well.
        inside = [float(f"{v:.12g}") for v in np.geomspace(span.start, span.stop, span.points)[1:-1]]
        return [span.start, *inside, span.stop]
    if isinstance(axis, np.ndarray):
        return axis.tolist()
    return list(axis) if isinstance(axis, list | tuple) else [axis]


def as_tuple(spec: Any) -> Any:
    """Of a list; what is none is left to pydantic to refuse."""
    return tuple(spec) if isinstance(spec, list | np.ndarray) else spec


T = TypeVar("T")
Axis = Annotated[tuple[T, ...], Field(min_length=1), BeforeValidator(lambda axis: tuple(_values(axis)))]
Density = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=1e-6, le=1e6)]
Amount = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
FeatureSet = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=2), BeforeValidator(as_tuple)]
FeatureSets = Annotated[tuple[FeatureSet, ...], BeforeValidator(as_tuple)]


class Distribution(Strict):
    """Which features come on together, and the range of their values (paper: "Setting", "Correlated features").

    A *correlated* set is on or off as a whole. Of an *anticorrelated* set exactly one member is on when the set is.
    Features in no set are independent. A *signed* feature that is on is uniform on [-1, 1] instead of [0, 1].
    """

    correlated: FeatureSets = ()
    anticorrelated: FeatureSets = ()
    signed: bool = False

    @model_validator(mode="after")
    def _disjoint(self) -> "Distribution":
        members = Counter(i for s in self.sets for i in s)
        if twice := sorted(i for i, times in members.items() if times > 1):
            raise ValueError(
                f"the sets overlap: feature {shown(twice[0])} is named twice, a feature may be in one set only"
            )
        return self

    @property
    def sets(self) -> tuple[tuple[int, ...], ...]:
        """Correlated and anticorrelated ones."""
        return self.correlated + self.anticorrelated

    @property
    def name(self) -> str:
        """The coordinate of this distribution in a sweep: ``independent``, ``correlated 0+1 2+3``, …"""
        words = ["signed"] if self.signed else []
        for kind in ("correlated", "anticorrelated"):
            if sets := getattr(self, kind):
                words += [kind, *("+".join(map(str, s)) for s in sets)]
        return " ".join(words) or "independent"


def _distribution(spec: Any) -> Any:
    named = {"independent": Distribution(), "signed": Distribution(signed=True)}
    if isinstance(spec, str):
        if spec not in named:
            raise ValueError(
                f"unknown distribution {shown(spec)}: allowed are independent, signed, "
                "{correlated: [[0, 1], …]} and {anticorrelated: [[0, 1], …]}"
            )
        return named[spec]
    return spec


class Relative(Strict):
    """An axis: the value of some features relative to that of the others."""

    features: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1), BeforeValidator(as_tuple)]
    ratio: Axis[Ratio]


class Decay(Strict):
    """Importances that fall geometrically: I_i = decay^i, with i from 0."""

    decay: Annotated[float, Field(gt=0, le=1)]


class Sweep(Strict):
    """A grid of conditions for one architecture, and how its models are trained.

    The grid is the product of the axes ``density``, ``relative_density``, ``relative_importance``,
    ``distribution``, ``attack``, ``l1`` and ``seeds``; at every point ``restarts`` models are trained from different
    initial weights. With ``attack`` every training sample is under the analytic attack on a random feature; what is
    asked for stays the sample itself. With ``l1`` the sum of the hidden units' absolute values is minimised, too.
    """

    model: Literal["linear", "relu_output", "relu_hidden", "absolute"]
    n: Annotated[int, Field(ge=1, le=10_000, description="features")]
    m: Annotated[int, Field(ge=1, le=10_000, description="hidden dimensions")]
    hidden_bias: Annotated[bool, Field(description="a bias in the hidden layer (relu_hidden only)")] = False

    density: Annotated[Axis[Density], Field(description="1 - S: a number, a list, or {from, to, points} (log)")]
    relative_density: Annotated[Relative | None, Field(description="density of some features over the others'")] = None
    importance: Annotated[
        Annotated[float, Field(ge=1e-6, le=1e6)] | Decay | tuple[Annotated[float, Field(ge=0, le=1e6)], ...],
        BeforeValidator(as_tuple),
        Field(description="of every feature: one number, {decay: d} for d^i, or a list of n"),
    ] = 1.0
    relative_importance: Annotated[Relative | None, Field(description="importance of some features over the rest")] = (
        None
    )
    distribution: Annotated[
        Annotated[
            tuple[Annotated[Distribution, BeforeValidator(_distribution)], ...],
            BeforeValidator(lambda spec: tuple(spec) if isinstance(spec, list | tuple) else (spec,)),
            Field(min_length=1),
        ],
        Field(description="independent, signed, {correlated: …}, {anticorrelated: …}, or a list of these"),
    ] = (Distribution(),)
    attack: Annotated[
        Axis[Amount],
        Field(description="size of the attacks that models are trained against, over the mean norm of the input"),
    ] = (0.0,)
    l1: Annotated[Axis[Amount], Field(description="weight of an L1 penalty on the hidden units")] = (0.0,)
    seeds: Annotated[int, Field(ge=1, le=100_000, description="replicates, each with its own stream of data")] = 1
    restarts: Annotated[int, Field(ge=1, le=100_000, description="models per point; all are kept")] = 1

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
    def _consistent(self) -> "Sweep":
        n = self.n
        if self.m > n and self.model != "absolute":
            raise ValueError(
                f"m = {self.m} > n = {n}: only the absolute model may have more hidden units than features"
            )
        if self.hidden_bias and self.model != "relu_hidden":
            raise ValueError("hidden_bias: only the relu_hidden model has one")
        if self.initial_bias == "centred" and not (self.independent and self.model in ("linear", "relu_output")):
            raise ValueError(
                "initial_bias: centred needs independent features in [0, 1] and a model with a linear hidden layer"
            )
        if self.attacked and not (self.independent and self.model in ("linear", "relu_output")):
            raise ValueError("attack: needs independent features in [0, 1] and a model with a linear hidden layer")
        if isinstance(self.importance, tuple) and len(self.importance) != n:
            raise ValueError(f"importance: a list of {len(self.importance)} for n = {n} features")
        if isinstance(self.importance, tuple) and max(self.importance) < 1e-6:
            raise ValueError("importance: at least one has to be 1e-06 or more")
        for key in ("relative_density", "relative_importance"):
            if (relative := getattr(self, key)) and max(relative.features) >= n:
                raise ValueError(
                    f"{key}: feature {shown(max(relative.features))} does not exist, allowed are 0 to {n - 1}"
                )
        varied = set(self.relative_density.features) if self.relative_density else set()
        for distribution in self.distribution:
            for members in distribution.sets:
                if (last := max(members)) >= n:
                    raise ValueError(f"distribution: feature {shown(last)} does not exist, allowed are 0 to {n - 1}")
                if 0 < len(varied.intersection(members)) < len(members):
                    raise ValueError(
                        f"relative_density: the set {shown(list(members))} comes on as one, so its density is one"
                    )
        if len({d.signed for d in self.distribution}) > 1:
            raise ValueError("distribution: signed and unsigned features cannot be mixed in one sweep")
        if self.relative_density and (top := max(self.density) * max(self.relative_density.ratio)) > 1:
            raise ValueError(f"relative_density: density times ratio reaches {top:g}, allowed is up to 1")
        lowest = min(self.density) * min(1, *(self.relative_density.ratio if self.relative_density else (1,)))
        if lowest < LEAST_DENSITY:
            raise ValueError(f"density: reaches {lowest:g}, allowed is {LEAST_DENSITY:g} or more")
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
        """One machine can hold it, and one job can train it."""
        models = self.models
        if models > MODELS:
            raise ValueError(f"a sweep of {models:.3g} models: allowed are up to {MODELS:.0e}")
        numbers = models * (1 + self.snapshots) * self.n * (1 + self.m * (1 + (self.model == "absolute")))
        if numbers > NUMBERS:
            raise ValueError(
                f"the weights of {models:.3g} models, snapshots among them, are {numbers:.3g} numbers: "
                f"allowed are up to {NUMBERS:.0e}"
            )
        if self.batch * self.n > BATCH_NUMBERS:
            raise ValueError(
                f"batch: {self.batch} samples of {self.n} features, allowed are {BATCH_NUMBERS:.0e} numbers"
            )
        if self.header > LARGEST_HEADER:
            raise ValueError(
                f"a grid of {self.size:.3g} points: their coordinates do not fit into the header of a file"
            )
        evaluated = 0 if self.solver == "exact" else models * self.evaluation * (1 + self.m / 16)
        hours = (self.work + evaluated) / WORK_PER_HOUR
        if hours > CORE_HOURS:
            raise ValueError(
                f"about {hours:.2g} hours of training on one core: allowed are {CORE_HOURS:.0e}; "
                "fewer models, steps or samples take less"
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
    def signed(self) -> bool:
        """Features in [-1, 1], everywhere in the sweep."""
        return self.distribution[0].signed

    @property
    def independent(self) -> bool:
        """Independent features in [0, 1], everywhere in the sweep."""
        return not self.signed and not any(d.sets for d in self.distribution)

    @property
    def attacked(self) -> bool:
        """Somewhere in the sweep, models are trained against attacks."""
        return any(self.attack)

    @property
    def penalised(self) -> bool:
        """Somewhere in the sweep, hidden units are penalised."""
        return any(self.l1)

    @property
    def exactly_solvable(self) -> bool:
        """The expected loss has a closed form (``exact.expected_loss``) that is small enough to search."""
        plain = self.independent and not (self.attacked or self.penalised or self.snapshots)
        return self.n <= 3 and plain and self.model in ("linear", "relu_output")

    @property
    def size(self) -> int:
        """How many points the grid has."""
        return math.prod(map(len, self._axes()))

    @property
    def models(self) -> int:
        """How many are trained: all restarts of all points."""
        return self.size * self.restarts

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
        """How long training takes, in feature values seen by a model, or the search where the sweep is solved exactly.

        The part that grows with m costs a sixteenth of a value per hidden dimension.
        """
        if self.solver == "exact":
            return self.models * self.n * 2**self.n * SEARCH
        return self.models * self.steps * self.batch * self.n * (1 + self.m / 16)

    @property
    def header(self) -> float:
        """Characters that the coordinates of all points take in the header of a weights file."""
        # Lists of JSON in a string of JSON; less the quotes around it.
        each = sum((len(json.dumps(json.dumps([*axis]))) - 2) / len(axis) for axis in self._axes())
        return self.size * each

    def _axes(self) -> list[Sequence[Any]]:
        """The values of each coordinate, in the order of ``COORDINATES``."""
        return [
            self.density,
            self.relative_density.ratio if self.relative_density else (1.0,),
            self.relative_importance.ratio if self.relative_importance else (1.0,),
            [d.name for d in self.distribution],
            self.attack,
            self.l1,
            range(self.seeds),
        ]

    def points(self, which: range | None = None) -> pd.DataFrame:
        """The grid, or some of it: one row per point, one column per name in ``COORDINATES``; the seed varies fastest.

        ``which``: as in the methods below, the points that are wanted, such as ``part(1, 2)``; all by default.
        """
        which = range(self.size) if which is None else which
        axes = self._axes()
        places = np.unravel_index(np.arange(which.start, which.stop), [len(axis) for axis in axes])
        return pd.DataFrame({k: np.asarray(axis)[i] for k, axis, i in zip(COORDINATES, axes, places, strict=True)})

    def densities(self, which: range | None = None) -> np.ndarray:
        """Density of every feature at every point, [point, n]."""
        points = self.points(which)
        out = np.repeat(points["density"].to_numpy()[:, None], self.n, axis=1)
        if self.relative_density:
            out[:, list(self.relative_density.features)] *= points["relative_density"].to_numpy()[:, None]
        return out

    def importances(self, which: range | None = None) -> np.ndarray:
        """Importance of every feature at every point, [point, n]."""
        points = self.points(which)
        if isinstance(self.importance, Decay):
            base = self.importance.decay ** np.arange(self.n)
        else:
            base = np.broadcast_to(np.asarray(self.importance, dtype=float), self.n)
        out = np.repeat(base[None], len(points), axis=0)
        if self.relative_importance:
            out[:, list(self.relative_importance.features)] *= points["relative_importance"].to_numpy()[:, None]
        return out

    def distributions(self, which: range | None = None) -> list[Distribution]:
        """The distribution at every point."""
        by_name = {d.name: d for d in self.distribution}
        return [by_name[name] for name in self.points(which)["distribution"]]


def explain(error: ValidationError, where: str) -> str:
    """The first finding of a pydantic error as one line: where, what is allowed, what was given."""
    finding = max(error.errors(), key=lambda finding: len(finding["loc"]))  # deepest: of a union, the part meant
    # Names of types and validators that pydantic puts into a location are no keys of the user's; a key at the end that
    # is unknown or missing is, whatever it is called.
    keys = [str(key) for key in finding["loc"]]
    certain = len(keys) - (finding["type"] in ("extra_forbidden", "missing"))
    kinds = {"float", "int", "Decay", "tuple", "Relative", "str", "dict", "list", "bool"}
    keys = [k for i, k in enumerate(keys) if i >= certain or not (k in kinds or set("[(") & set(k))]
    location = ".".join([where, *(key if key.isprintable() and len(key) <= 60 else shown(key) for key in keys)])
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "extra_forbidden":
        return f"{location}: unknown key"
    if finding["type"] == "missing":
        return f"{location}: this key is missing"
    given = finding["input"]
    what = f", not {shown(given)}" if not isinstance(given, dict | list) else ""
    return f"{location}: {message[:1].lower()}{message[1:]}{what}"
