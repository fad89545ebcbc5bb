"""The conditions of a family of sweeps, each named once, whichever of the sweeps have it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from superposition.core.experiment.grid import COORDINATES
from superposition.core.experiment.sweep import Sweep
from superposition.core.models import Model
from superposition.search.weighted import is_small
from superposition.theory import exact
from superposition.training.blocks import Plan

# The numbers of steps along an axis of a sweep at which a condition has neighbours.
STRIDES = (1, 2)
# The number of conditions of each other sweep that count as neighbours.
NEAREST = 1


@dataclass(frozen=True, eq=False)
class Condition:
    """An architecture, densities and importances: all that the loss of given weights depends on.

    Attributes:
        experiment: The first experiment that has this condition.
        plan: Its plan, with a single instance at every point.
        point: Its first point that has this condition.
    """

    experiment: str
    plan: Plan
    point: int

    @property
    def model(self) -> Model:
        """The architecture."""
        return self.plan.model

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """All that a loss depends on: equal conditions of different sweeps have the same key."""
        plan, point = self.plan, self.point
        of_features = (plan.densities[point].tobytes(), plan.importances[point].tobytes())
        of_samples = (plan.distributions[point], plan.sweep.values, plan.attack[point], plan.l1[point])
        return (plan.model, *of_features, *of_samples)

    @cached_property
    def coordinates(self) -> dict[str, Any]:
        """The coordinates of the point."""
        return self.plan.points.iloc[self.point].to_dict()

    @property
    def density(self) -> Float64[Tensor, " n"]:
        """The density of every feature."""
        return torch.from_numpy(self.plan.densities[self.point])

    @property
    def importance(self) -> Float64[Tensor, " n"]:
        """The importance of every feature."""
        return torch.from_numpy(self.plan.importances[self.point])

    @property
    def mean(self) -> Float64[Tensor, " n"]:
        """The mean of every feature."""
        return exact.feature_mean(self.density, self.plan.sweep.values)

    @property
    def dropped(self) -> float:
        """The loss of a model that drops every feature."""
        return float((self.importance * exact.feature_variance(self.density, self.plan.sweep.values)).sum())

    @property
    def uniform(self) -> bool:
        """Whether all features have the same density and importance 1."""
        return bool((self.density == self.density[0]).all() and (self.importance == 1).all())

    @property
    def exchangeable(self) -> bool:
        """Whether all features are active alike, so that only their importances tell them apart."""
        return bool((self.density == self.density[0]).all()) and not self.plan.distributions[self.point].sets

    @property
    def plain(self) -> bool:
        """Whether a tied model of independent features, uniform on [0, 1], minimises nothing but the loss."""
        return self.plan.sweep.plain and self.loss_alone

    @property
    def loss_alone(self) -> bool:
        """Whether models minimise nothing but the loss, without attacks and penalties."""
        return not (self.plan.attack[self.point] or self.plan.l1[self.point])

    @property
    def has_products(self) -> bool:
        """Whether the best exact products of polytopes are known."""
        return self.model.name == "relu_output" and self.plain and self.uniform

    @property
    def small(self) -> bool:
        """Whether features are few and independent, so that losses are known well from few samples."""
        return is_small(self.plan, self.point)

    @property
    def long(self) -> bool:
        """Whether models of |x| are so large that polishing them takes long."""
        return self.model.absolute and not self.small

    @property
    def solvable(self) -> bool:
        """Whether the best model is known without a search."""
        return self.plan.sweep.exactly_solvable or (self.model.name == "linear" and self.plain)

    def distance(self, other: "Condition") -> float:
        """Return how far apart two conditions are; infinite if their features are active together in different ways."""
        mine, others = self.coordinates, other.coordinates
        if mine["distribution"] != others["distribution"]:
            return np.inf
        ratios = sum(abs(np.log(mine[k] / others[k])) for k in ("density", "relative_density", "relative_importance"))
        return float(ratios + sum(abs(mine[k] - others[k]) for k in ("attack", "l1")))


@dataclass
class Family:
    """Sweeps that exchange models, and their conditions.

    Attributes:
        sweeps: The sweeps, by name of the experiment.
        conditions: All conditions.
        of_point: For every sweep, the number of the condition at each of its points.
    """

    sweeps: Mapping[str, Sweep]
    conditions: list[Condition] = field(default_factory=list)
    of_point: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known: dict[tuple[Any, ...], int] = {}
        for name, sweep in self.sweeps.items():
            plan = Plan(sweep.model_copy(update={"restarts": 1}))
            self.of_point[name] = []
            for point in range(len(plan)):
                condition = Condition(name, plan, point)
                if condition.key not in known:
                    known[condition.key] = len(self.conditions)
                    self.conditions.append(condition)
                self.of_point[name].append(known[condition.key])

    def neighbours(self, number: int) -> Iterator[int]:
        """Yield the numbers of the conditions whose models are tried under a condition.

        These are the nearest along each axis of its sweep, and the nearest of every other sweep with as many hidden
        dimensions, or with a fraction of them: a half if features differ.
        """
        condition = self.conditions[number]
        found = self._along_axes(condition)
        for name, sweep in self.sweeps.items():
            copies, rest = divmod(condition.model.m, sweep.m)
            if name != condition.experiment and not rest and (condition.uniform or copies in (1, 2)):
                distance = {k: condition.distance(self.conditions[k]) for k in sorted(set(self.of_point[name]))}
                found.update(k for k in sorted(distance, key=distance.__getitem__)[:NEAREST] if distance[k] < np.inf)
        yield from sorted(found - {number})

    def _along_axes(self, condition: Condition) -> set[int]:
        """Return the conditions a few steps away along each axis of a condition's sweep."""
        shape = [len(axis) for axis in condition.plan.sweep.axes()]
        place, found = np.unravel_index(condition.point, shape), set[int]()
        for axis in (k for k, coordinate in enumerate(COORDINATES) if coordinate not in ("distribution", "seed")):
            for step in (sign * stride for stride in STRIDES for sign in (1, -1)):
                other = [int(k) for k in place]
                other[axis] += step
                if 0 <= other[axis] < shape[axis]:
                    found.add(self.of_point[condition.experiment][int(np.ravel_multi_index(other, shape))])
        return found
