"""Own sweeps: what the standard tables and figures say of a sweep that no other figure names. Nothing is claimed."""


def kind(figure: str) -> str:
    """Which of the standard figures ``<experiment>_<kind>`` is."""
    return figure.rsplit("_", 1)[1]
