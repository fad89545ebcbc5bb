"""Which features are active together (paper: "Setting", "Correlated features")."""

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from superposition.core.errors import short_repr
from superposition.core.validation import Strict, as_tuple

FeatureSet = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=2), BeforeValidator(as_tuple)]
FeatureSets = Annotated[tuple[FeatureSet, ...], BeforeValidator(as_tuple)]


class Distribution(Strict):
    """Feature sets that are active together, and whether features have signs (paper: "Setting", "Correlated features").

    The members of a *correlated* set are all active or all inactive. Exactly one member of an *anticorrelated* set is
    active when the set is. Features in no set are independent. The value of an active feature
    (see ``Values``) is positive, or of either sign with equal probability if it is *signed*.
    """

    correlated: FeatureSets = ()
    anticorrelated: FeatureSets = ()
    signed: bool = False

    @model_validator(mode="after")
    def _disjoint(self) -> "Distribution":
        members = Counter(i for s in self.sets for i in s)
        if twice := sorted(i for i, times in members.items() if times > 1):
            raise ValueError(
                f"the sets overlap: feature {short_repr(twice[0])} is named twice, a feature may be in one set only"
            )
        return self

    @property
    def sets(self) -> tuple[tuple[int, ...], ...]:
        """All sets, the correlated ones first."""
        return self.correlated + self.anticorrelated

    @property
    def name(self) -> str:
        """The coordinate of this distribution in a sweep: ``independent``, ``correlated 0+1 2+3``, …"""
        words = ["signed"] if self.signed else []
        for kind in ("correlated", "anticorrelated"):
            if sets := getattr(self, kind):
                words += [kind, *("+".join(map(str, s)) for s in sets)]
        return " ".join(words) or "independent"


def parse_distribution(spec: Any) -> Any:
    """Replace the name of a predefined distribution by that distribution; leave anything else for pydantic to read."""
    predefined = {"independent": Distribution(), "signed": Distribution(signed=True)}
    if isinstance(spec, str):
        if spec not in predefined:
            raise ValueError(
                f"unknown distribution {short_repr(spec)}: allowed are independent, signed, "
                "{correlated: [[0, 1], …]} and {anticorrelated: [[0, 1], …]}"
            )
        return predefined[spec]
    return spec


# A distribution, given by its keys or by its name.
AnyDistribution = Annotated[
    Distribution,
    BeforeValidator(parse_distribution, json_schema_input_type=Literal["independent", "signed"] | Distribution),
]
