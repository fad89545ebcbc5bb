"""How far verdicts depend on the training configuration.

The paper states no batch size, learning rate or number of steps. Claims are judged again with each of them halved and
doubled.
"""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from superposition.core.errors import SuperpositionError, error_context
from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.pipeline.configuration.config import VARIED
from superposition.pipeline.judging.claims import Claim
from superposition.training.runner import train

# The factors by which each variant multiplies training settings, by the name of the variant.
VARIANTS: dict[str, dict[str, float]] = {"as configured": {}} | {
    f"{name} {change}": {key: factor}
    for key, name in VARIED.items()
    for change, factor in (("halved", 0.5), ("doubled", 2.0))
}
VARIANT_COLUMNS = ["claim", "variant", "measured", "verdict"]
# A function that measures a figure.
Measure = Callable[[dict[str, SweepResult]], dict[str, pd.DataFrame]]


def scale_settings(sweep: Sweep, factors: Mapping[str, float]) -> Sweep:
    """Multiply training settings of a sweep; return a sweep that is solved exactly unchanged, as it has none.

    Raises:
        SuperpositionError: The result is not a valid sweep.
    """
    if sweep.solver == "exact":
        return sweep
    entry = sweep.model_dump(mode="json")
    return Sweep.parse(entry | {key: type(entry[key])(entry[key] * factor) for key, factor in factors.items()})


class _LazyTables(dict[str, dict[str, pd.DataFrame]]):
    """Tables by figure, each made when a claim first asks for it."""

    def __init__(self, make: Callable[[str], dict[str, pd.DataFrame]]) -> None:
        self.make = make

    def __missing__(self, figure: str) -> dict[str, pd.DataFrame]:
        self[figure] = self.make(figure)
        return self[figure]


def judge_variants(
    claims: Sequence[Claim],
    measures: Mapping[str, Measure],
    figures: Mapping[str, Mapping[str, Sweep]],
    device: str = "auto",
    threads: int | None = None,
) -> pd.DataFrame:
    """Judge claims of a section under every variant of the training configuration.

    Only the figures that the claims ask for are trained and measured.

    Args:
        claims: The claims to judge.
        measures: The functions that measure the figures of the section, by figure.
        figures: The sweeps of the figures of the section that can be trained again, by figure and then by experiment.
        device: What to train on.
        threads: The number of threads to train with.

    Returns:
        One row per variant and claim, with the columns ``VARIANT_COLUMNS``.

    Raises:
        SuperpositionError: An experiment cannot be trained under a variant, and the message names both. Or a claim
            needs a figure that is not among ``figures``.
    """
    rows = []
    for variant in VARIANTS:
        models: dict[str, SweepResult] = {}

        def make(figure: str, variant: str = variant, models: dict[str, SweepResult] = models) -> dict:
            if figure not in figures:
                raise SuperpositionError(f"sensitivity: {figure} needs the best known models, which are not varied")
            for name, sweep in figures[figure].items():
                if name not in models:
                    with error_context(f"{name}, {variant}"):
                        models[name] = train(scale_settings(sweep, VARIANTS[variant]), device, threads)
            return measures[figure]({name: models[name] for name in figures[figure]})

        tables = _LazyTables(make)
        for claim in claims:
            judgement = claim.judge(tables)
            rows.append([claim.id, variant, judgement.measured, judgement.verdict])
    return pd.DataFrame(rows, columns=VARIANT_COLUMNS)
