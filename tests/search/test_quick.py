"""The certificate of the reproduction at scale quick."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.real import QUICK, ROOT

from superposition.search.polishing import GROUPS

TABLE = ROOT / "results/quick/optimality.csv"


@pytest.mark.integration
@pytest.mark.quick
@pytest.mark.skipif(not TABLE.exists(), reason="needs the reproduction at scale quick")
def test_every_point_is_certified_and_no_construction_beats_what_is_best() -> None:
    table = pd.read_csv(TABLE)
    points = {name: QUICK.sweeps[name].size for names in QUICK.families.values() for name in names}
    assert table.groupby("experiment").size().to_dict() == points
    # Errors come from the scatter of groups of samples, so a difference over its error follows Student's distribution.
    # By chance alone, each of the bounds fails in at most one run of ten thousand.
    chance, freedom = 1e-4, GROUPS - 1
    largest = stats.t.isf(chance / len(table), freedom)
    most = stats.binom.isf(chance, len(table), stats.t.sf(2, freedom))
    for better, error in ((table["gap"], table["gap_error"]), (-table["excess"], table["excess_error"])):
        assert (better <= np.maximum(1e-3, largest * error)).all()
        assert (better > np.maximum(1e-3, 2 * error)).sum() <= most
