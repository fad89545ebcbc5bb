"""The grid of a sweep: one architecture under every combination of conditions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from superposition.core.errors import short_repr
from superposition.core.experiment.distribution import AnyDistribution, Distribution
from superposition.core.experiment.values import PREDEFINED, UNIFORM, Values, parse_values
from superposition.core.validation import Strict, as_tuple

# Float32 has no reciprocals of much smaller densities.
MIN_DENSITY = 1e-30
# Largest number of replicates. Those of a ``seed`` draw from the streams ``seed * MAX_REPLICATES`` and up, so that no
# two seeds share a stream; stream numbers have 32 bits.
MAX_REPLICATES, MAX_SEED = 100_000, 10_000
# The columns of ``Grid.points``, in the order of the axes; if hidden units are noisy, ``noise`` comes before the seed.
COORDINATES = ("density", "relative_density", "relative_importance", "distribution", "attack", "l1", "seed")


class LogRange(Strict):
    """A logarithmic axis: values that are evenly spaced in the logarithm, both ends included."""

    start: Annotated[float, Field(gt=0, allow_inf_nan=False, alias="from")]
    stop: Annotated[float, Field(gt=0, allow_inf_nan=False, alias="to")]
    points: Annotated[int, Field(ge=2, le=100_000)]


def _values(axis: Any) -> Any:
    """Convert any notation of an axis to a tuple: a single value, a list, an array, or a logarithmic range."""
    if isinstance(axis, dict):
        span = LogRange.model_validate(axis)
        # Values are rounded to 12 digits so that files read well; the ends are exact.
        inside = [float(f"{v:.12g}") for v in np.geomspace(span.start, span.stop, span.points)[1:-1]]
        return (span.start, *inside, span.stop)
    axis = as_tuple(axis)
    return axis if isinstance(axis, tuple) else (axis,)


# The models of the paper, and the subclasses of ``models.Model`` that define others, by name. They are
# kept here because this module does not import PyTorch.
BUILT_IN_MODELS = ("linear", "relu_output", "relu_hidden", "absolute")
CUSTOM_MODELS: dict[str, type] = {}
# The models that may have an option.
MODELS_WITH = {
    "hidden_bias": ("relu_hidden",),
    "untied": ("relu_output",),
    "hidden_activation": ("relu_hidden", "absolute"),
    "output_activation": ("relu_output", "relu_hidden", "absolute"),
}
Activation = Literal["linear", "relu", "leaky_relu", "abs", "gelu", "softplus"]


def _known_model(name: str) -> str:
    """Reject the name of a model that is neither built in nor defined."""
    if name not in (allowed := (*BUILT_IN_MODELS, *CUSTOM_MODELS)):
        raise ValueError(f"allowed are {', '.join(allowed)}")
    return name


@dataclass(frozen=True)
class Notations:
    """A mark of a tuple whose JSON schema allows for a single value, a list, and maybe another notation."""

    other: type[Strict] | None = None

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        several = handler(schema)
        others = [self.other.model_json_schema()] if self.other else []
        return {"anyOf": [several["items"], several, *others]}


T = TypeVar("T")
Axis = Annotated[tuple[T, ...], Field(min_length=1), BeforeValidator(_values), Notations(LogRange)]
Distributions = Annotated[
    tuple[AnyDistribution, ...],
    Field(min_length=1),
    BeforeValidator(lambda spec: tuple(spec) if isinstance(spec, list | tuple) else (spec,)),
    Notations(),
]
Density = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=1e-6, le=1e6)]
Amount = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]


class Relative(Strict):
    """An axis that scales the density or importance of some features relative to the others."""

    features: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1), BeforeValidator(as_tuple)]
    ratio: Axis[Ratio]


class Decay(Strict):
    """A geometric sequence, with one number per feature: decay^i, with i from 0."""

    decay: Annotated[float, Field(gt=0, le=1)]

    @property
    def name(self) -> str:
        """The formula."""
        return f"{self.decay:g}^i"

    def by_feature(self, n: int) -> np.ndarray:
        """Return the numbers of n features."""
        return self.decay ** np.arange(n)


class Zipf(Strict):
    """A sequence that falls by Zipf's law, with one number per feature: (i + 1)^-zipf, with i from 0."""

    zipf: Annotated[float, Field(ge=0, le=10)]

    @property
    def name(self) -> str:
        """The formula."""
        return f"(i+1)^-{self.zipf:g}"

    def by_feature(self, n: int) -> np.ndarray:
        """Return the numbers of n features."""
        return np.arange(1, n + 1) ** -self.zipf


def _by_feature(spec: "Decay | Zipf | float | tuple[float, ...]", n: int) -> np.ndarray:
    """Return one number per feature, given any notation of it; a copy."""
    return spec.by_feature(n) if isinstance(spec, Decay | Zipf) else np.full(n, spec, dtype=float)


class Grid(Strict):
    """An architecture and a grid of conditions under which its models are trained.

    The points of the grid are the product of the axes ``density``, ``relative_density``, ``relative_importance``,
    ``distribution``, ``attack``, ``l1``, ``noise`` and ``seeds``; at every point there are ``restarts`` models, which
    start from different initial weights.
    """

    model: Annotated[str, AfterValidator(_known_model), Field(json_schema_extra={"enum": list(BUILT_IN_MODELS)})]
    n: Annotated[int, Field(ge=1, le=10_000, description="number of features")]
    m: Annotated[int, Field(ge=1, le=10_000, description="number of hidden dimensions")]
    hidden_bias: Annotated[bool, Field(description="whether the hidden layer has a bias (relu_hidden only)")] = False
    untied: Annotated[bool, Field(description="whether the output has weights of its own (relu_output only)")] = False
    hidden_activation: Annotated[
        Activation | None, Field(description="in place of the hidden layer's ReLU, in models that have one")
    ] = None
    output_activation: Annotated[Activation | None, Field(description="in place of the ReLU of the output")] = None

    density: Annotated[Axis[Density], Field(description="1 - S: a number, a list, or {from, to, points} (log)")]
    density_profile: Annotated[
        Decay | Zipf | tuple[Annotated[float, Field(gt=0, le=1e6)], ...] | None,
        BeforeValidator(as_tuple),
        Field(description="density of every feature over `density`: {decay: d} for d^i, {zipf: a}, or a list of n"),
    ] = None
    relative_density: Annotated[
        Relative | None, Field(description="density of some features relative to the others")
    ] = None
    importance: Annotated[
        Annotated[float, Field(ge=1e-6, le=1e6)] | Decay | Zipf | tuple[Annotated[float, Field(ge=0, le=1e6)], ...],
        BeforeValidator(as_tuple),
        Field(description="importance of every feature: one number, {decay: d} for d^i, {zipf: a}, or a list of n"),
    ] = 1.0
    relative_importance: Annotated[
        Relative | None, Field(description="importance of some features relative to the others")
    ] = None
    distribution: Annotated[
        Distributions,
        Field(description="independent, signed, {correlated: …}, {anticorrelated: …}, or a list of these"),
    ] = (Distribution(),)
    values: Annotated[
        Values,
        BeforeValidator(parse_values, json_schema_input_type=Literal[tuple(PREDEFINED)] | Values),
        Field(description="of active features: uniform, binary, half_normal, exponential, or {minimum: a} for [a, 1]"),
    ] = UNIFORM
    attack: Annotated[
        Axis[Amount],
        Field(description="size of the attacks in training, relative to the mean norm of the input"),
    ] = (0.0,)
    l1: Annotated[Axis[Amount], Field(description="weight of an L1 penalty on the hidden units")] = (0.0,)
    noise: Annotated[
        Axis[Amount], Field(description="standard deviation of Gaussian noise on the hidden units, in training")
    ] = (0.0,)
    dropout: Annotated[
        float, Field(ge=0, lt=1, description="share of the hidden units set to 0 in training; the others are scaled up")
    ] = 0.0
    seeds: Annotated[
        int, Field(ge=1, le=MAX_REPLICATES, description="replicates, each with its own stream of data")
    ] = 1
    seed: Annotated[int, Field(ge=0, le=MAX_SEED, description="replaces all random numbers by others")] = 0
    restarts: Annotated[
        int, Field(ge=1, le=100_000, description="models per point, from different initial weights; all are kept")
    ] = 1

    @model_validator(mode="after")
    def _consistent_grid(self) -> "Grid":
        self._check_model()
        self._check_features()
        self._check_densities()
        return self

    def _check_model(self) -> None:
        if self.m > self.n and self.model in ("linear", "relu_output", "relu_hidden"):
            raise ValueError(
                f"m = {self.m} > n = {self.n}: only the absolute model may have more hidden units than features"
            )
        for key, models in MODELS_WITH.items():
            if getattr(self, key) and self.model not in models:
                raise ValueError(f"{key}: only for {', '.join(models)}")
        if self.disturbed and self.model not in BUILT_IN_MODELS:
            raise ValueError(f"noise and dropout: allowed are the models {', '.join(BUILT_IN_MODELS)}")
        if self.attacked and not self.plain:
            raise ValueError(
                "attack: needs independent features, uniform on [0, 1], and a tied model with a linear hidden layer"
            )

    def _check_features(self) -> None:
        n = self.n
        for key in ("importance", "density_profile"):
            if isinstance(spec := getattr(self, key), tuple) and len(spec) != n:
                raise ValueError(f"{key}: a list of {len(spec)} numbers for n = {n} features")
        if isinstance(self.importance, tuple) and max(self.importance) < 1e-6:
            raise ValueError("importance: at least one must be 1e-06 or more")
        for key in ("relative_density", "relative_importance"):
            if (relative := getattr(self, key)) and max(relative.features) >= n:
                raise ValueError(
                    f"{key}: feature {short_repr(max(relative.features))} does not exist, allowed are 0 to {n - 1}"
                )
        varied = set(self.relative_density.features) if self.relative_density else set()
        for distribution in self.distribution:
            for members in distribution.sets:
                if (last := max(members)) >= n:
                    raise ValueError(
                        f"distribution: feature {short_repr(last)} does not exist, allowed are 0 to {n - 1}"
                    )
                if 0 < len(varied.intersection(members)) < len(members):
                    raise ValueError(
                        "relative_density: the features of a set have one density, so list all or none of "
                        f"{short_repr(list(members))}"
                    )
        if len({d.signed for d in self.distribution}) > 1:
            raise ValueError("distribution: signed and unsigned features cannot be mixed in one sweep")

    def _check_densities(self) -> None:
        high, low = self._profile(), self._profile()
        for members in (members for d in self.distribution for members in d.sets):
            if np.ptp(low[list(members)]):
                raise ValueError(
                    "density_profile: the features of a set have one density, "
                    f"but {short_repr(list(members))} have several"
                )
        key = "density_profile: density times profile"
        if self.relative_density:
            key, features = "relative_density: density times ratio", list(self.relative_density.features)
            high[features] *= max(self.relative_density.ratio)
            low[features] *= min(self.relative_density.ratio)
        if (top := max(self.density) * high.max()) > 1:
            raise ValueError(f"{key} reaches {top:g}, allowed is up to 1")
        if (lowest := min(self.density) * low.min()) < MIN_DENSITY:
            raise ValueError(f"density: reaches {lowest:g}, allowed is {MIN_DENSITY:g} or more")

    @property
    def signed(self) -> bool:
        """Whether features are in [-1, 1], at all points."""
        return self.distribution[0].signed

    @property
    def has_sets(self) -> bool:
        """Whether features are in sets, at any point."""
        return any(d.sets for d in self.distribution)

    @property
    def independent(self) -> bool:
        """Whether features are independent and never negative, at all points."""
        return not (self.signed or self.has_sets)

    @property
    def plain(self) -> bool:
        """Whether features are independent and uniform on [0, 1], and a tied model has a linear hidden layer."""
        tied = self.model in ("linear", "relu_output") and not self.untied
        return self.independent and self.values == UNIFORM and tied

    @property
    def attacked(self) -> bool:
        """Whether models are trained against attacks, at any point."""
        return any(self.attack)

    @property
    def penalised(self) -> bool:
        """Whether hidden units are penalised, at any point."""
        return any(self.l1)

    @property
    def disturbed(self) -> bool:
        """Whether hidden units are noisy or dropped in training, at any point."""
        return any(self.noise) or self.dropout > 0

    @property
    def loss_alone(self) -> bool:
        """Whether nothing but the loss is minimised, without attacks, penalties, noise and dropout."""
        return not (self.attacked or self.penalised or self.disturbed)

    @property
    def coordinates(self) -> tuple[str, ...]:
        """The names of the axes, which are the columns of :meth:`points`."""
        return COORDINATES if self.noise == (0.0,) else (*COORDINATES[:-1], "noise", COORDINATES[-1])

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(map(len, self.axes()))

    @property
    def models(self) -> int:
        """Number of models: all restarts at all points."""
        return self.size * self.restarts

    def axes(self) -> list[Sequence[Any]]:
        """Return the values of every coordinate, in the order of ``coordinates``."""
        return [
            self.density,
            self.relative_density.ratio if self.relative_density else (1.0,),
            self.relative_importance.ratio if self.relative_importance else (1.0,),
            [d.name for d in self.distribution],
            self.attack,
            self.l1,
            *([] if self.noise == (0.0,) else [self.noise]),
            range(self.seeds),
        ]

    def points(self, which: range | None = None) -> pd.DataFrame:
        """Return the coordinates of points: one row per point, one column per name in ``coordinates``.

        The seed varies fastest.

        Args:
            which: Range of points, such as ``Sweep.part_range(1, 2)``; all points by default.
        """
        which = range(self.size) if which is None else which
        axes = self.axes()
        places = np.unravel_index(np.arange(which.start, which.stop), [len(axis) for axis in axes])
        return pd.DataFrame({k: np.asarray(axis)[i] for k, axis, i in zip(self.coordinates, axes, places, strict=True)})

    def _profile(self) -> np.ndarray:
        """Return the density of every feature relative to ``density``; [n]."""
        return _by_feature(1.0 if self.density_profile is None else self.density_profile, self.n)

    def densities(self, which: range | None = None) -> np.ndarray:
        """Return the density of every feature at some points, by default all; [point, n]."""
        points = self.points(which)
        out = points["density"].to_numpy()[:, None] * self._profile()
        if self.relative_density:
            out[:, list(self.relative_density.features)] *= points["relative_density"].to_numpy()[:, None]
        return out

    def importances(self, which: range | None = None) -> np.ndarray:
        """Return the importance of every feature at some points, by default all; [point, n]."""
        points = self.points(which)
        out = np.repeat(_by_feature(self.importance, self.n)[None], len(points), axis=0)
        if self.relative_importance:
            out[:, list(self.relative_importance.features)] *= points["relative_importance"].to_numpy()[:, None]
        return out

    def distributions(self, which: range | None = None) -> list[Distribution]:
        """Return the distribution at some points, by default all; [point]."""
        by_name = {d.name: d for d in self.distribution}
        return [by_name[name] for name in self.points(which)["distribution"]]
