"""How far verdicts depend on how models are trained.

The paper states no batch size, learning rate or number of steps. Claims are judged again with each of them halved and
doubled.
"""

import json
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from superposition.core.errors import error_context
from superposition.core.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.pipeline.claims import Claim
from superposition.pipeline.config import VARIED
from superposition.training.runner import train

VARIANTS: dict[str, dict[str, float]] = {"as configured": {}} | {
    f"{name} {words}": {key: factor}
    for key, name in VARIED.items()
    for words, factor in (("halved", 0.5), ("doubled", 2.0))
}
COLUMNS = ["claim", "variant", "measured", "verdict"]
Measure = Callable[[str, dict[str, SweepResult]], dict[str, pd.DataFrame]]


def varied(sweep: Sweep, factors: Mapping[str, float]) -> Sweep:
    """A sweep with parts of its recipe multiplied; one that is solved exactly has none.

    Raises SuperpositionError if that is no valid sweep.
    """
    if sweep.solver == "exact":
        return sweep
    entry = json.loads(sweep.spec())
    return Sweep.parse(entry | {key: type(entry[key])(entry[key] * factor) for key, factor in factors.items()})


class _Tables(dict[str, dict[str, pd.DataFrame]]):
    """The tables of a figure, made when a claim first asks for them."""

    def __init__(self, make: Callable[[str], dict[str, pd.DataFrame]]) -> None:
        self.make = make

    def __missing__(self, figure: str) -> dict[str, pd.DataFrame]:
        self[figure] = self.make(figure)
        return self[figure]


def verdicts(
    claims: Sequence[Claim],
    measure: Measure,
    figures: Mapping[str, Mapping[str, Sweep]],
    device: str = "auto",
    threads: int | None = None,
) -> pd.DataFrame:
    """The verdict on every claim, by variant: one row each, in ``COLUMNS``.

    ``figures``: the sweeps of every figure of the section. Of these, what the claims ask for is trained and measured
    anew for every variant. Raises SuperpositionError, naming both, where an experiment cannot be trained in a variant.
    """
    rows = []
    for variant in VARIANTS:
        models: dict[str, SweepResult] = {}

        def make(figure: str, variant: str = variant, models: dict[str, SweepResult] = models) -> dict:
            for name, sweep in figures[figure].items():
                if name not in models:
                    with error_context(f"{name}, {variant}"):
                        models[name] = train(varied(sweep, VARIANTS[variant]), device, threads)
            return measure(figure, {name: models[name] for name in figures[figure]})

        tables = _Tables(make)
        for claim in claims:
            finding = claim.judge(tables)
            rows.append([claim.id, variant, finding.measured, finding.verdict])
    return pd.DataFrame(rows, columns=COLUMNS)
