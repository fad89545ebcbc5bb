"""The weights and the tables of a run, as the views read them."""

from functools import cache
from pathlib import Path

import pandas as pd

from superposition.core.weights import SweepResult
from superposition.pipeline.configuration.config import Config


class Run:
    """The weights and the tables of a run.

    Args:
        results: The results folder, such as ``results/paper``.
        config: The configuration of the run.
    """

    def __init__(self, results: Path, config: Config) -> None:
        self.results, self.config = results, config
        self.models = cache(self._load)

    def _load(self, experiment: str) -> SweepResult:
        return SweepResult.load(self.results / "weights" / f"{experiment}.safetensors")

    def best(self, experiment: str) -> SweepResult:
        """Read the best known models of an experiment."""
        (family,) = (name for name, members in self.config.families.items() if experiment in members)
        return SweepResult.load(self.results / "best" / family / f"{experiment}.safetensors")

    def table(self, figure: str, name: str) -> pd.DataFrame:
        """Read one table of a figure."""
        return pd.read_csv(self.results / "tables" / figure / f"{name}.csv")
