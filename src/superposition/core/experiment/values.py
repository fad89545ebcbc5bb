"""The values that active features have; the paper's are uniform on [0, 1]."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from superposition.core.errors import short_repr
from superposition.core.validation import Strict


class Values(Strict):
    """The distribution of an active feature's value or, if features are signed, of its magnitude.

    It is uniform on [minimum, 1], the magnitude of a standard normal number, or exponential with mean 1.
    """

    shape: Literal["uniform", "half_normal", "exponential"] = "uniform"
    minimum: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="after")
    def _bounded(self) -> "Values":
        if self.minimum and self.shape != "uniform":
            raise ValueError(f"minimum: only uniform values have one, not {self.shape}")
        return self

    @property
    def name(self) -> str:
        """The name of these values if they are predefined; otherwise their range."""
        return next((name for name, values in PREDEFINED.items() if values == self), f"uniform from {self.minimum:g}")

    @property
    def mean(self) -> float:
        """E[v]."""
        return {"uniform": (1 + self.minimum) / 2, "half_normal": math.sqrt(2 / math.pi), "exponential": 1.0}[
            self.shape
        ]

    @property
    def mean_square(self) -> float:
        """E[v²]."""
        return {"uniform": (1 + self.minimum + self.minimum**2) / 3, "half_normal": 1.0, "exponential": 2.0}[self.shape]


UNIFORM, BINARY = Values(), Values(minimum=1)
PREDEFINED = {
    "uniform": UNIFORM,
    "binary": BINARY,
    "half_normal": Values(shape="half_normal"),
    "exponential": Values(shape="exponential"),
}


def parse_values(spec: Any) -> Any:
    """Replace the name of predefined values by those values; leave anything else for pydantic to read."""
    if isinstance(spec, str):
        if spec not in PREDEFINED:
            raise ValueError(
                f"unknown values {short_repr(spec)}: allowed are {', '.join(PREDEFINED)} and {{minimum: a}}"
            )
        return PREDEFINED[spec]
    return spec
