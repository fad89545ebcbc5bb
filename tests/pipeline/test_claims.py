"""Verdicts: how one is reached, what ``claims.csv`` says of it, and what `check` makes of it."""

import importlib
from collections import Counter

import pandas as pd
import pytest
from tests.real import CONFIG

from superposition.core.errors import SuperpositionError
from superposition.pipeline.claims import COLUMNS, ERROR, NOT_AT_THIS_SCALE, Claims, Finding, Tables, check

REGISTERED = {
    name: list(importlib.import_module(f"superposition.paper.{name}.judge").claims) for name in CONFIG.sections
}  # By section, as the workflow finds them.


@pytest.mark.parametrize(
    ("holds", "correction", "expected"),
    [
        (True, "", "reproduced"),
        (True, "It is half as large", "reproduced"),
        (False, "It is half as large", "corrected"),
        (False, "", "not reproduced"),
    ],
)
def test_verdict(holds: bool, correction: str, expected: str) -> None:
    """A correction counts only where the statement does not hold as it stands."""
    assert Finding("3", holds, correction, note="so it is").verdict == expected


def section(**findings: Finding) -> Claims:
    """Return a section whose claims have the given findings, and are expected to be reproduced."""
    claims = Claims("zoo")
    for name, finding in findings.items():
        add = claims.add(name, figure="cage", paper=f"{name} exists", criterion="seen", at_quick=name != "whale")
        add(lambda tables, finding=finding: finding)
    return claims


def test_every_claim_has_a_row_in_order() -> None:
    claims = section(
        owl=Finding("3 owls", True, "Two of them", "At night"),
        ant=Finding("0 ants", False),
        bee=Finding("1 bee", False, "It is a wasp", "It stings"),
        cat=Finding("1 cat", False, "It is a lion"),
    )
    table = claims.table({}, "paper")
    assert list(table.columns) == COLUMNS
    assert COLUMNS == ["claim", "section", "figure", "paper", "measured", "criterion", "verdict", "expected", "note"]
    common = {"section": "zoo", "figure": "cage", "criterion": "seen", "expected": "reproduced"}
    assert table.to_dict(orient="records") == [
        common | {"claim": f"zoo.{name}", "paper": f"{name} exists", "measured": m, "verdict": v, "note": note}
        for name, m, v, note in (
            ("owl", "3 owls", "reproduced", "At night"),  # A correction is left out if the claim holds.
            ("ant", "0 ants", "not reproduced", ""),
            ("bee", "1 bee", "corrected", "It is a wasp. It stings"),
            ("cat", "1 cat", "corrected", "It is a lion"),
        )
    ]


def test_claims_by_name() -> None:
    """Claims are returned in the order asked for; an unknown one is an error that lists the known ones."""
    claims = section(owl=Finding("", True), ant=Finding("", True), bee=Finding("", True))
    assert [claim.id for claim in claims.find(["zoo.bee", "zoo.owl"])] == ["zoo.bee", "zoo.owl"]
    with pytest.raises(
        SuperpositionError, match=r"^sensitivity: unknown 'zoo\.bat', allowed are zoo\.owl, zoo\.ant, zoo\.bee$"
    ):
        claims.find(["zoo.bee", "zoo.bat"])


def test_the_judge_gets_the_tables() -> None:
    claims, tables = Claims("zoo"), {"cage": {"models": pd.DataFrame({"loss": [1.5]})}}

    @claims.add("owl", figure="cage", paper="", criterion="", expected="corrected")
    def owl(data: Tables) -> Finding:
        return Finding(f"{data['cage']['models']['loss'].item()}", True)

    row = claims.table(tables, "paper").iloc[0]
    assert (row["measured"], row["verdict"], row["expected"]) == ("1.5", "reproduced", "corrected")
    assert owl(tables).holds


def test_what_needs_the_full_scale_says_so() -> None:
    """A claim that needs scale paper is not judged at scale quick, where it may fail or hold by chance."""
    claims = section(whale=Finding("1 whale", True), ant=Finding("0 ants", True))
    quick = claims.table({}, "quick").set_index("claim")
    assert quick["verdict"].to_dict() == {"zoo.whale": NOT_AT_THIS_SCALE, "zoo.ant": "reproduced"}
    assert quick["measured"].to_dict() == {"zoo.whale": "", "zoo.ant": "0 ants"}
    assert quick["note"]["zoo.whale"]
    assert claims.table({}, "paper")["verdict"].tolist() == ["reproduced"] * 2

    unjudged = Claims("zoo")
    unjudged.add("whale", figure="", paper="", criterion="", at_quick=False)(lambda tables: 1 / 0)
    assert unjudged.table({}, "quick")["verdict"].tolist() == [NOT_AT_THIS_SCALE]


def test_a_judge_that_fails_is_an_error_and_says_why() -> None:
    """A custom grid may lack what a claim needs; the other claims are judged all the same."""
    claims = section(owl=Finding("1 owl", True))
    claims.add("bat", figure="cage", paper="", criterion="")(lambda tables: tables["cage"]["models"])
    table = claims.table({"cage": {}}, "paper").set_index("claim")
    assert table["verdict"].to_dict() == {"zoo.owl": "reproduced", "zoo.bat": ERROR}
    assert table["note"]["zoo.bat"] == "The judge failed (KeyError: 'models')"
    with pytest.raises(SuperpositionError, match=r"1 of 2 verdicts differ .*: zoo\.bat is error, expected reproduced"):
        check(table.reset_index())


def recorded(**verdicts: tuple[str, str]) -> pd.DataFrame:
    """Return a table of verdicts beside those on record."""
    rows = [(f"zoo.{name}", verdict, expected) for name, (verdict, expected) in verdicts.items()]
    return pd.DataFrame(rows, columns=["claim", "verdict", "expected"])


def test_check_passes() -> None:
    """It passes if every verdict is the one on record; claims that were not judged do not count."""
    line = check(
        recorded(
            owl=("reproduced", "reproduced"),
            cat=("reproduced", "reproduced"),
            bee=("corrected", "corrected"),
            dog=("not reproduced", "not reproduced"),
            whale=(NOT_AT_THIS_SCALE, "reproduced"),
        )
    )
    assert "\n" not in line
    assert "all 4 verdicts" in line
    assert "2 reproduced" in line
    assert "1 corrected" in line
    assert "1 not reproduced" in line
    assert f"1 {NOT_AT_THIS_SCALE}" in line


@pytest.mark.parametrize("verdict", ["corrected", "not reproduced"])
def test_check_names_what_differs(verdict: str) -> None:
    """It names the differences in both directions, and nothing else."""
    claims = recorded(
        owl=("reproduced", "reproduced"),
        bee=(verdict, "reproduced"),
        dog=("reproduced", verdict),
        whale=(NOT_AT_THIS_SCALE, "reproduced"),
    )
    with pytest.raises(SuperpositionError) as caught:
        check(claims)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("2 of 3 verdicts")
    assert f"zoo.bee is {verdict}, expected reproduced" in message
    assert f"zoo.dog is reproduced, expected {verdict}" in message
    assert "zoo.owl" not in message
    assert "zoo.whale" not in message


# The claims of the paper.


@pytest.mark.parametrize("name", REGISTERED)
def test_claims_of_a_section(name: str) -> None:
    """Each is shown beside a figure of its own section."""
    assert REGISTERED[name]
    module = importlib.import_module(f"superposition.paper.{name}.judge")
    assert module.claims.section == name
    for claim in REGISTERED[name]:
        assert claim.id.startswith(f"{name}.")
        assert claim.figure in CONFIG.figures_of(name)
        assert claim.expected in ("reproduced", "corrected", "not reproduced")
        for text in (claim.paper, claim.criterion):
            assert text.strip()
            assert "\n" not in text


def test_the_claims_of_the_paper() -> None:
    """Their names are unique, and the criterion of every correction says when it is made."""
    claims = [claim for registered in REGISTERED.values() for claim in registered]
    assert [name for name, count in Counter(claim.id for claim in claims).items() if count > 1] == []
    assert all("corrected if" in claim.criterion for claim in claims if claim.expected == "corrected")
