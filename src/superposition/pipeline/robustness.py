"""How often each verdict comes when every random number is replaced by another.

The target ``robustness`` judges all claims under other seeds. What it found is on record in
``report/robustness/<scale>.csv``, for the report and for the documentation, whose page about it is written by
``python -m superposition.pipeline.robustness > docs/robustness.md``.
"""

from collections.abc import Mapping
from itertools import compress
from pathlib import Path

import pandas as pd
import yaml

from superposition.pipeline import stages
from superposition.pipeline.configuration.config import Config
from superposition.pipeline.judging.claims import ERROR, NOT_AT_THIS_SCALE
from superposition.pipeline.overview import escaped, markdown_table

RECORDS = Path("report/robustness")
# The verdicts that are counted.
VERDICTS = ["reproduced", "corrected", "not reproduced", "described", ERROR]
COUNT_COLUMNS = ["claim", "expected", "seeds", *VERDICTS, "numbers"]
# A verdict depends on the seed if it is the one on record under a smaller share of the seeds.
FIRM_SHARE = 0.95


def count_verdicts(claims: pd.DataFrame, criteria: pd.DataFrame) -> pd.DataFrame:
    """Count the verdicts on every claim over seeds.

    Args:
        claims: The rows of ``claims.csv`` of all seeds.
        criteria: The rows of ``criteria.csv`` of all seeds.

    Returns:
        One row per claim that the scale can judge, with the columns ``COUNT_COLUMNS``: the verdict on record, the
        number of seeds, how often each verdict came, and as text the range of every number beside that of its bound.
    """
    judged = claims[claims["verdict"] != NOT_AT_THIS_SCALE]
    rows = [
        {"claim": claim, "expected": found["expected"].iloc[0], "seeds": len(found)}
        | {verdict: (found["verdict"] == verdict).sum() for verdict in VERDICTS}
        | {"numbers": _ranges(criteria[criteria["claim"] == claim])}
        for claim, found in judged.groupby("claim", sort=False)
    ]
    return pd.DataFrame(rows, columns=COUNT_COLUMNS)


def _ranges(criteria: pd.DataFrame) -> str:
    """Describe the range of every number of a claim, that of its bound, and how often the criterion was met."""
    ranges = []
    for (_, statistic, relation), found in criteria.groupby(["part", "statistic", "relation"], sort=False):
        value, bound = (_range(found[column]) for column in ("value", "bound"))
        ranges.append(f"{statistic}: {value} {relation} {bound} (met {found['holds'].sum()} of {len(found)} times)")
    return "; ".join(ranges)


def _range(values: pd.Series) -> str:
    low, high = (f"{value:.3g}" for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def agreement(table: pd.DataFrame, expected: Mapping[str, str]) -> pd.DataFrame:
    """Compare counted verdicts with those on record.

    Args:
        table: The columns ``COUNT_COLUMNS``; claims that are not on record are left out.
        expected: The verdict on record of every claim.

    Returns:
        One row per claim: ``claim``, ``expected``, ``share`` (of the seeds under which the verdict is that one),
        ``verdicts`` (how often each came, as text) and ``numbers``.
    """
    rows = []
    for row in table[table["claim"].isin(expected)].to_dict("records"):
        verdict = expected[row["claim"]]
        counts = ", ".join(f"{name} {row[name]}" for name in VERDICTS if row[name])
        share = row[verdict] / row["seeds"]
        rows.append([row["claim"], verdict, share, counts, row["numbers"]])
    return pd.DataFrame(rows, columns=["claim", "expected", "share", "verdicts", "numbers"])


def describe(table: pd.DataFrame) -> str:
    """Return one line: how many verdicts are those on record, and which claims depend on the seed."""
    found = agreement(table, dict(zip(table["claim"], table["expected"], strict=True)))
    loose = found[found["share"] < FIRM_SHARE]
    named = "; ".join(f"{row.claim} is {row.expected} on record, but {row.verdicts}" for row in loose.itertuples())
    firm = f"{len(found) - len(loose)} of {len(found)} verdicts are those on record under at least {FIRM_SHARE:.0%}"
    return f"{firm} of {count_seeds(table)} seeds{': ' if named else ''}{named}"


def count_seeds(table: pd.DataFrame) -> str:
    """Return under how many seeds the claims were judged, a range if a run was cut short."""
    least, most = table["seeds"].min(), table["seeds"].max()
    return f"{most}" if least == most else f"{least} to {most}"


def page(config: Config) -> str:
    """Return the page in Markdown: the verdicts on record, and how often they came at each scale."""
    sections = [claim for section in config.sections for claim in stages.find(section, "judge", "claims")]
    expected = {claim.id: claim.expected for claim in sections}
    parts = [
        "<!-- Generated; do not edit: python -m superposition.pipeline.robustness > docs/robustness.md -->",
        "# Verdicts under other seeds",
        "`seed` in `config.yaml` replaces every random number by another: initial weights, training samples and\n"
        "evaluation samples. `snakemake --cores all robustness` trains, measures and judges everything under other\n"
        "seeds, as many as `other_seeds` says, and writes `results/<scale>/robustness.csv`. The report shows what is\n"
        "on record in `report/robustness/`. To put a run on record, copy its file there and make this page again.",
    ]
    for file in sorted(RECORDS.glob("*.csv")):
        table = pd.read_csv(file, keep_default_na=False)
        parts.append(_scale(file.stem, count_seeds(table), agreement(table, expected)))
    return "\n\n".join(parts) + "\n"


def _scale(scale: str, seeds: str, found: pd.DataFrame) -> str:
    """Return the part of the page about one scale."""
    loose = found["share"] < FIRM_SHARE
    rows = [
        [f"`{row.claim}`", row.expected, f"{row.share:.0%}", row.verdicts, escaped(row.numbers)]
        for row in found.itertuples()
    ]
    header = ["claim", "on record", "share", "verdicts", "numbers"]
    parts = [
        f"## Scale {scale}",
        f"{seeds} seeds. {(found['share'] == 1).sum()} of {len(found)} verdicts are always the one on record, and "
        f"{(~loose).sum()} under at least {FIRM_SHARE:.0%} of the seeds.",
    ]
    if loose.any():
        parts.append(f"Below {FIRM_SHARE:.0%}:")
        parts.append(markdown_table(header, [*compress(rows, loose)]))
        parts.append("All others:")
    parts.append(markdown_table(header, [*compress(rows, ~loose)]))
    return "\n\n".join(parts)


if __name__ == "__main__":
    print(page(Config.parse(yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8")))), end="")
