"""The numbers of every claim on its counter-models.

``python -m tests.pipeline.judging.on_record`` writes ``on_record.csv`` anew, after an intended change of what is
measured.
"""

import importlib
from pathlib import Path

import pandas as pd
from tests.real import CONFIG

from superposition.pipeline import stages
from superposition.pipeline.judging.claims import Claim, Judgement

REGISTERED = {name: stages.find(name, "judge", "claims") for name in CONFIG.sections}
JUDGED = [claim for claims in REGISTERED.values() for claim in claims if claim.criteria]
RECORD = Path(__file__).with_suffix(".csv")


def judge_counter_model(claim: Claim) -> Judgement:
    """Judge a claim from tables of models that lack what it says."""
    section, name = claim.id.split(".")
    counter = importlib.import_module(f"tests.paper.counter_models.{section}").COUNTER_MODELS[name]
    return claim.judge(counter())


def numbers(judgement: Judgement) -> list[tuple[float, float]]:
    """Return number and standard error of every criterion."""
    return [(about.value, about.error) for about in (*judgement.statement, *judgement.correction)]


if __name__ == "__main__":
    rows = [(claim.id, *row) for claim in JUDGED for row in numbers(judge_counter_model(claim))]
    pd.DataFrame(rows, columns=["claim", "number", "error"]).to_csv(RECORD, index=False, float_format="%.5g")
