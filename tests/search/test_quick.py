"""The certificate of the reproduction at scale quick."""

import numpy as np
import pandas as pd
import pytest
from tests.real import QUICK, ROOT

TABLE = ROOT / "results/quick/optimality.csv"


@pytest.mark.integration
@pytest.mark.quick
@pytest.mark.skipif(not TABLE.exists(), reason="needs the reproduction at scale quick")
def test_every_point_is_certified_and_no_construction_beats_what_is_best() -> None:
    table = pd.read_csv(TABLE)
    points = {name: QUICK.sweeps[name].size for names in QUICK.families.values() for name in names}
    assert table.groupby("experiment").size().to_dict() == points
    # Among so many points, a few differences of three standard errors are chance.
    assert (table["gap"] <= np.maximum(1e-3, 4 * table["gap_error"])).all()
    assert (table["excess"] >= -np.maximum(1e-3, 4 * table["excess_error"])).all()
