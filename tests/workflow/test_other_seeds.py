"""Test the target `robustness`, which judges all claims again under other seeds, with the real Snakemake."""

import pandas as pd
import pytest
from tests.workflow.project import OUT, Project, digest

pytestmark = pytest.mark.integration


@pytest.fixture
def small(fresh: Project) -> Project:
    """Return a project of one figure with a single experiment."""
    fresh.keep_figure("introduction", "introduction")
    fresh.shrink("introduction")
    fresh.configure(fresh.config() | {"other_seeds": 2})
    return fresh


def test_claims_are_judged_under_other_seeds(small: Project) -> None:
    """A seed gives what a run with it gives, existing files are not made again, and each seed can run alone."""
    assert not [job for job in small.jobs() if "seed" in job or "robustness" in job], "the run itself does not need it"
    small.make("--", "robustness")
    table = pd.read_csv(small.path / OUT / "robustness.csv")
    seeds = [pd.read_csv(small.path / OUT / f"seeds/{seed}/claims.csv") for seed in (1, 2)]
    judged = seeds[0][seeds[0]["verdict"] != "needs scale paper"]
    assert table["claim"].tolist() == judged["claim"].tolist()
    assert set(table["seeds"]) == {2}
    dense = [claims.set_index("claim").loc["introduction.dense", "verdict"] for claims in seeds]
    assert table.set_index("claim").loc["introduction.dense", dense[0]] == dense.count(dense[0])

    weights = {seed: OUT / f"seeds/{seed}/weights/introduction.safetensors" for seed in (1, 2)}
    assert digest(small.path / weights[1]) != digest(small.path / weights[2])
    assert small.jobs("--", "robustness") == set()
    assert small.jobs("--config", "other_seeds=1", "--", "robustness") == {"robustness"}
    for made in ("robustness.csv", "seeds/2/claims.csv"):
        (small.path / OUT / made).unlink()
    assert small.jobs("--", "robustness") == {"judge_seed:2", "robustness"}
    more = small.jobs("--config", "other_seeds=3", "--", "robustness")
    assert more == {"train_seed:3", "measure_seed:3", "judge_seed:3", "judge_seed:2", "robustness"}

    own = OUT / "weights/introduction.safetensors"
    small.make("--config", "seed=2", "--", str(own))
    assert digest(small.path / own) == digest(small.path / weights[2])
