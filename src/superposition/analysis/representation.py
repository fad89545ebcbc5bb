"""Which features a model represents, by the one convention that all sections share."""

from typing import Any


def is_represented(square_norm: Any) -> Any:
    """Return whether features count as represented: ‖W_i‖² > ½, which is closer to 1 than to 0.

    Args:
        square_norm: ‖W_i‖² of features: a number, an array, a tensor or a column of a table.
    """
    return square_norm > 0.5
