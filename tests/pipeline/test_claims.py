"""Verdicts: how one is reached, what ``claims.csv`` says of it, and which claims there are."""

import importlib
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from tests.real import CONFIG

from superposition.core.errors import SuperpositionError
from superposition.pipeline import stages
from superposition.pipeline.claims import COLUMNS, ERROR, NOT_AT_THIS_SCALE, Claims, Finding, Tables, check

REGISTERED = {
    name: list(stages.find(name, "judge", "claims")) for name in CONFIG.sections
}  # by section, as the workflow finds them


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
    """A section whose claims find what they are told, and expect to be reproduced."""
    claims = Claims("zoo")
    for name, finding in findings.items():
        add = claims.add(name, figure="cage", paper=f"{name} exists", criterion="seen", at_quick=name != "whale")
        add(lambda tables, finding=finding: finding)
    return claims


def test_a_line_for_every_claim_in_order() -> None:
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
            ("owl", "3 owls", "reproduced", "At night"),  # a correction that is not needed is not made
            ("ant", "0 ants", "not reproduced", ""),
            ("bee", "1 bee", "corrected", "It is a wasp. It stings"),
            ("cat", "1 cat", "corrected", "It is a lion"),
        )
    ]


def test_a_section_without_claims_has_the_columns() -> None:
    """All sections are joined."""
    assert list(section().table({}, "paper").columns) == COLUMNS


def test_claims_by_name() -> None:
    """In the order in which they are asked for; one that is not there is an error that says which there are."""
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
    assert owl(tables).holds, "a judge can still be called by its name"


def test_what_needs_the_full_scale_says_so() -> None:
    """And is not judged at all: at a smaller scale it may fail, or pass by luck."""
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
    """A grid of one's own may lack what a claim is about: the others are judged, and there is a report."""
    claims = section(owl=Finding("1 owl", True))
    claims.add("bat", figure="cage", paper="", criterion="")(lambda tables: tables["cage"]["models"])
    table = claims.table({"cage": {}}, "paper").set_index("claim")
    assert table["verdict"].to_dict() == {"zoo.owl": "reproduced", "zoo.bat": ERROR}
    assert table["note"]["zoo.bat"] == "The judge failed (KeyError: 'models')"
    with pytest.raises(SuperpositionError, match=r"1 of 2 verdicts differ .*: zoo\.bat is error, expected reproduced"):
        check(table.reset_index())


def recorded(**verdicts: tuple[str, str]) -> pd.DataFrame:
    """Claims with a verdict, and the one on record."""
    rows = [(f"zoo.{name}", verdict, expected) for name, (verdict, expected) in verdicts.items()]
    return pd.DataFrame(rows, columns=["claim", "verdict", "expected"])


def test_check_passes() -> None:
    """Where every verdict is the one on record, whichever that is; what was not judged here is left out."""
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
    """For the better or the worse; and nothing else."""
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


def test_check_reads_the_file(tmp_path: Path) -> None:
    """As the workflow does: written by the judge, read again; with empty notes and commas in the text."""
    good = section(ant=Finding("a, b", True), whale=Finding("1", False))
    for scale, passes in (("quick", True), ("paper", False)):
        good.table({}, scale).to_csv(tmp_path / "claims.csv", index=False)
        claims = pd.read_csv(tmp_path / "claims.csv")
        assert list(claims.columns) == COLUMNS
        if passes:
            assert "all 1 verdicts" in check(claims)
        else:
            with pytest.raises(SuperpositionError, match=r"zoo\.whale is not reproduced, expected reproduced"):
                check(claims)


# the claims of the paper

IDS = [
    "introduction.dense",
    "introduction.antipodal",
    "introduction.pentagon",
    "basic.linear_is_pca",
    "basic.bias",
    "basic.dense_relu_is_linear",
    "basic.more_features_with_sparsity",
    "basic.least_important_first",
    "basic.early_superposition_is_antipodal",
    "basic.negative_biases_when_sparse",
    "basic.scale_free",
    "theory.linear_loss",
    "theory.loss_by_active_count",
    "phase.three_phases",
    "phase.first_order",
    "phase.theory_predicts",
    "geometry.sticky_one",
    "geometry.sticky_half",
    "geometry.n_is_irrelevant",
    "geometry.m_scales",
    "geometry.clusters",
    "geometry.budget",
    "geometry.tegum",
    "geometry.thomson",
    "nonuniform.pentagon_when_equal",
    "nonuniform.stretch",
    "nonuniform.snap",
    "nonuniform.crossover",
    "nonuniform.norm_bias",
    "correlated.orthogonal",
    "correlated.antipodal",
    "correlated.side_by_side",
    "correlated.local_basis",
    "correlated.collapse_regimes",
    "correlated.pca_when_dense",
    "dynamics.jumps",
    "dynamics.loss_drops",
    "dynamics.octahedron",
    "adversarial.threefold",
    "adversarial.tracks_features_per_dimension",
    "adversarial.training_reduces_superposition",
    "remedies.l1",
    "privileged.aligned",
    "privileged.bias_escape",
    "privileged.regimes",
    "absolute.exact",
    "absolute.monosemantic_when_dense",
    "absolute.polysemantic_when_sparse",
    "absolute.both_in_one_model",
    "absolute.important_stay_monosemantic",
    "absolute.primary_and_secondary",
    "absolute.motif",
    "appendix.nonlinear_beats_linear",
]


def test_every_claim_of_these_sections_is_judged_once() -> None:
    """None forgotten, none invented."""
    found = [claim.id for claims in REGISTERED.values() for claim in claims]
    assert sorted(id for id in found if id.split(".")[0] in {id.split(".")[0] for id in IDS}) == sorted(IDS)
    assert [id for id, count in Counter(found).items() if count > 1] == []


@pytest.mark.parametrize("name", REGISTERED)
def test_claims_of_a_section(name: str) -> None:
    """Each is shown beside a figure of its own section, or it would not be shown at all."""
    assert REGISTERED[name], "a section without a claim"
    module = importlib.import_module(f"superposition.paper.{name}.judge")
    assert module.claims.section == name
    for claim in REGISTERED[name]:
        assert claim.id.startswith(f"{name}.")
        assert claim.figure in CONFIG.figures_of(name)
        assert claim.expected in ("reproduced", "corrected", "not reproduced")
        for text in (claim.paper, claim.criterion):
            assert text.strip()
            assert "\n" not in text


def test_the_claims_that_need_the_full_scale() -> None:
    """At scale quick most are judged: CI would not notice otherwise."""
    waiting = {c.id for claims in REGISTERED.values() for c in claims if not c.at_quick}
    known = {"basic.more_features_with_sparsity", "basic.scale_free", "phase.theory_predicts"}
    known |= {f"geometry.{name}" for name in ("sticky_one", "sticky_half", "n_is_irrelevant")}
    known |= {f"geometry.{name}" for name in ("m_scales", "clusters", "tegum")}
    known |= {f"correlated.{name}" for name in ("orthogonal", "antipodal", "side_by_side", "collapse_regimes")}
    known |= {"dynamics.loss_drops", "privileged.regimes"}
    known |= {"adversarial.tracks_features_per_dimension", "adversarial.training_reduces_superposition", "remedies.l1"}
    known |= {f"absolute.{name}" for name in ("monosemantic_when_dense", "polysemantic_when_sparse")}
    known |= {f"absolute.{name}" for name in ("both_in_one_model", "important_stay_monosemantic")}
    known |= {"absolute.primary_and_secondary"}
    assert waiting & set(IDS) == known


def test_corrections_on_record() -> None:
    """Where the paper's statement needs one, it is stated in the criterion when."""
    corrected = {c.id: c for claims in REGISTERED.values() for c in claims if c.expected == "corrected"}
    known = {"basic.more_features_with_sparsity", "basic.scale_free", "phase.theory_predicts"}
    known |= {f"geometry.{name}" for name in ("n_is_irrelevant", "m_scales", "clusters", "tegum", "thomson")}
    known |= {"nonuniform.crossover", "nonuniform.norm_bias", "correlated.collapse_regimes"}
    known |= {"dynamics.jumps", "privileged.regimes", "absolute.polysemantic_when_sparse"}
    known |= {"adversarial.tracks_features_per_dimension", "adversarial.training_reduces_superposition", "remedies.l1"}
    assert corrected.keys() & set(IDS) == known
    assert all("corrected if" in claim.criterion for claim in corrected.values())
