"""How far verdicts depend on how models are trained.

The paper states no batch size, learning rate or number of steps. The claims on a figure are judged again with each of them
halved and doubled, on sweeps of scale quick.
"""

import json
from collections.abc import Callable, Mapping

import pandas as pd

from superposition.claims import Claims
from superposition.sweep import Sweep
from superposition.training import train
from superposition.weights import Trained

KEYS = {"batch": "batch size", "learning_rate": "learning rate", "steps": "steps"}
VARIANTS = {"as configured": {}} | {
    f"{words} {name}": {key: factor} for name, factor in (("halved", 0.5), ("doubled", 2)) for key, words in KEYS.items()
}
COLUMNS = ["claim", "variant", "measured", "verdict"]


def varied(sweep: Sweep, factors: Mapping[str, float]) -> Sweep:
    """A sweep with parts of its recipe multiplied; one that is solved exactly has none.

    Raises SuperpositionError if that is no valid sweep.
    """
    if sweep.solver == "exact":
        return sweep
    entry = json.loads(sweep.spec())
    for key, factor in factors.items():
        entry[key] = type(entry[key])(entry[key] * factor)
    return Sweep.parse(entry)


def verdicts(
    claims: Claims,
    figure: str,
    measure: Callable[[str, dict[str, Trained]], dict[str, pd.DataFrame]],
    sweeps: Mapping[str, Sweep],
    device: str = "auto",
    threads: int | None = None,
) -> pd.DataFrame:
    """The verdict on every claim of a figure that scale quick can judge, by variant. Every variant is trained anew."""
    rows = []
    for variant, factors in VARIANTS.items():
        trained = {name: train(varied(sweep, factors), device, threads) for name, sweep in sweeps.items()}
        tables = {figure: measure(figure, trained)}
        for claim in claims:
            if claim.figure == figure and claim.at_quick:
                finding = claim.judge(tables)
                rows.append([claim.id, variant, finding.measured, finding.verdict])
    return pd.DataFrame(rows, columns=COLUMNS)
