"""Own sweeps: what the standard tables and figures say of a sweep that no other figure names. Nothing is claimed."""


def kind(figure: str) -> str:
    return figure.rsplit("_", 1)[1]
