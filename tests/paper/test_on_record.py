"""Compare the numbers of all tables, claims and drawings with those on record."""

import pandas as pd
import pytest
from tests.paper.on_record import FOLDER, RECORDED, ROUGH, differences, record


def check(name: str) -> None:
    different = differences(record(name), pd.read_csv(FOLDER / f"{name}.csv"))
    assert not different, (
        f"{name}: {len(different)} numbers are not those on record: {'; '.join(different[:8])}. "
        f"If the change is intended, run python -m tests.paper.on_record {name}."
    )


@pytest.mark.parametrize("name", RECORDED)
def test_numbers_are_those_on_record(name: str) -> None:
    check(name)


@pytest.mark.integration
@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("name", ROUGH)
def test_numbers_of_rough_models_are_those_on_record(name: str) -> None:
    """Of rough models, some lie near every limit, and some have hardly anything."""
    check(name)
