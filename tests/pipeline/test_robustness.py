"""Test how verdicts under other seeds are counted, compared with those on record, and shown."""

from pathlib import Path

import pandas as pd
import pytest
from tests.real import CONFIG, ROOT

from superposition.pipeline import robustness, stages
from superposition.pipeline.robustness import agreement, count_verdicts, describe, page


def seeds(verdicts: dict[str, list[str]], values: dict[str, list[float]]) -> pd.DataFrame:
    """Count verdicts, one per seed, of claims that are expected to be reproduced and have a number below 1."""
    claims = pd.DataFrame(
        [(name, "reproduced", verdict) for name, found in verdicts.items() for verdict in found],
        columns=["claim", "expected", "verdict"],
    )
    criteria = pd.DataFrame(
        [(name, "statement", "Loss", value, "<", 1.0, value < 1) for name, found in values.items() for value in found],
        columns=["claim", "part", "statistic", "value", "relation", "bound", "holds"],
    )
    return count_verdicts(claims.sample(frac=1, random_state=0), criteria)


def test_every_verdict_is_counted_and_every_number_has_its_range() -> None:
    table = seeds(
        {"a.firm": ["reproduced"] * 3, "a.loose": ["reproduced", "error", "corrected"]},
        {"a.firm": [0.5, 0.25, 0.75], "a.loose": [0.5, 2.0]},
    ).set_index("claim")
    assert table.loc["a.loose", robustness.VERDICTS].tolist() == [1, 1, 0, 0, 1]
    assert table.loc["a.firm", robustness.VERDICTS].tolist() == [3, 0, 0, 0, 0]
    assert table["seeds"].tolist() == [3, 3]
    assert table.loc["a.firm", "numbers"] == "Loss: 0.25 to 0.75 < 1 (met 3 of 3 times)"
    assert "0.5 to 2 < 1 (met 1 of 2 times)" in table.loc["a.loose", "numbers"]


def test_a_claim_that_the_scale_cannot_judge_is_not_counted() -> None:
    table = seeds({"a.large": ["needs scale paper"] * 2, "a.small": ["reproduced"] * 2}, {})
    assert table["claim"].tolist() == ["a.small"]
    assert table["numbers"].tolist() == [""]


def test_a_verdict_that_differs_too_often_is_named() -> None:
    """One of twenty seeds is five per cent, which is still allowed; two are not."""
    table = seeds(
        {"a.firm": ["reproduced"] * 19 + ["corrected"], "a.loose": ["reproduced"] * 18 + ["corrected"] * 2}, {}
    )
    line = describe(table)
    assert "a.loose is reproduced on record, but reproduced 18, corrected 2" in line
    assert "a.firm" not in line
    assert line.startswith("1 of 2 ")


def test_the_record_is_compared_with_the_verdicts_of_today() -> None:
    """A claim whose verdict on record has changed since is compared with the new one; one that is gone is left out."""
    table = seeds({"a.changed": ["reproduced", "corrected", "corrected", "corrected"], "a.gone": ["reproduced"]}, {})
    (row,) = agreement(table, {"a.changed": "corrected"}).to_dict("records")
    assert (row["expected"], row["share"]) == ("corrected", 0.75)


def test_a_run_that_was_cut_short_has_a_range_of_seeds() -> None:
    whole, short = seeds({"a.whole": ["reproduced"] * 3}, {}), seeds({"a.short": ["reproduced"] * 2}, {})
    assert robustness.count_seeds(whole) == "3"
    assert robustness.count_seeds(pd.concat([whole, short])) == "2 to 3"


def test_the_page_shows_loose_verdicts_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = [claim.id for claim in stages.find("introduction", "judge", "claims")][:2]
    monkeypatch.setattr(robustness, "RECORDS", tmp_path)
    seeds({names[0]: ["reproduced"] * 10, names[1]: ["reproduced"] * 9 + ["error"]}, {}).to_csv(
        tmp_path / "paper.csv", index=False
    )
    text = page(CONFIG)
    assert text.index(names[1]) < text.index("All others") < text.index(names[0])
    assert "90%" in text


def test_what_is_on_record_is_about_claims_of_today() -> None:
    """The record names existing claims only, and the page about it is current."""
    known = {claim.id for section in CONFIG.sections for claim in stages.find(section, "judge", "claims")}
    for file in (ROOT / robustness.RECORDS).glob("*.csv"):
        assert set(pd.read_csv(file)["claim"]) <= known
    assert (ROOT / "docs/robustness.md").read_text() == page(CONFIG)
