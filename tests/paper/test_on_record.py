"""Compare the numbers of all tables, claims and drawings with those on record."""

import pandas as pd
import pytest
from tests.paper.on_record import FOLDER, RECORDED, differences, record


@pytest.mark.parametrize("section", RECORDED)
def test_numbers_are_those_on_record(section: str) -> None:
    different = differences(record(section), pd.read_csv(FOLDER / f"{section}.csv"))
    assert not different, (
        f"{section}: {len(different)} numbers are not those on record: {'; '.join(different[:8])}. "
        f"If the change is intended, run python -m tests.paper.on_record {section}."
    )
