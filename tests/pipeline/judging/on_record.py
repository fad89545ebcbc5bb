"""The numbers of every claim on its counter-models, and in what is said of them.

``python -m tests.pipeline.judging.on_record`` writes ``on_record.csv`` anew, after an intended change of what is
measured.
"""

import importlib
from pathlib import Path

from tests.paper.on_record import Numbers, of_judgement, summarise
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


if __name__ == "__main__":
    numbers: Numbers = {}
    for claim in JUDGED:
        numbers |= of_judgement(claim, judge_counter_model(claim))
    summarise(numbers).to_csv(RECORD, index=False, float_format="%.5g")
