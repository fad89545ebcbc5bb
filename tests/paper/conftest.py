"""Settings of the tests of the paper's sections."""

import pytest


@pytest.fixture(autouse=True)
def shape_checks_on_record(request: pytest.FixtureRequest) -> None:
    """Check the shapes of arrays at run time only while numbers are compared with those on record.

    That calls all functions of the sections once; in all tests, the checks take as long as what they check.
    """
    if request.path.stem != "test_on_record":
        request.getfixturevalue("without_shape_checks")
