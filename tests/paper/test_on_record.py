"""Compare the numbers of all tables, claims and drawings with those on record."""

import pandas as pd
import pytest
from tests.cases import in_ci
from tests.paper.on_record import FOLDER, RECORDED, differences, record

# Its own tests notice most of the same errors.
LONG = "phase"


@pytest.mark.parametrize("section", in_ci(RECORDED, *(name for name in RECORDED if name != LONG)))
def test_numbers_are_those_on_record(section: str) -> None:
    different = differences(record(section), pd.read_csv(FOLDER / f"{section}.csv"))
    assert not different, (
        f"{section}: {len(different)} numbers are not those on record: {'; '.join(different[:8])}. "
        f"If the change is intended, run python -m tests.paper.on_record {section}."
    )
