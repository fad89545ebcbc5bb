"""Learning dynamics: from snapshots whose D_i and losses are known to tables, figures and verdicts."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.animation import PillowWriter
from tests.paper.synthetic import changed, drawn, drawn_twice, judged, through_files, verdict

from superposition.core.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.paper import dynamics
from superposition.paper.dynamics import (
    SMALL_INIT,
    XAVIER_INIT,
    Coincidence,
    _fall_within,
    draw,
    judge,
    loss_fall_at_jumps,
    measure,
)
from superposition.pipeline.claims import Tables

FIGURES = ("energy_levels", "geometric_learning")
SNAPSHOTS, MODELS, DIGONS = 100, 12, 12
N, M = 3 * DIGONS, DIGONS + 1  # a third of the features stay away; the last dimension is for the pair that comes late


def along_training(sweep: Sweep, W: np.ndarray, b: float = 0.0) -> SweepResult:
    """Models of one point with these snapshots [snapshot, restart, m, n]."""
    steps = np.linspace(0, sweep.steps, sweep.snapshots + 1).round().astype(int)[1:]
    every = {
        "W": torch.tensor(W, dtype=torch.float32)[:, None],
        "b": torch.full((len(W), 1, W.shape[1], W.shape[3]), b),
    }
    none = torch.zeros(1, sweep.restarts, dtype=torch.float64)
    last = {name: values[-1] for name, values in every.items()}
    return SweepResult(sweep, last, none, none, torch.tensor(steps), every)


def energy_sweep(**changes: Any) -> Sweep:
    about = {"model": "relu_output", "n": N, "m": M, "density": 0.3, "restarts": MODELS, "steps": 1000}
    return Sweep.parse(about | {"snapshots": SNAPSHOTS, "evaluation": 20_000} | changes)


def growing(late: list[int]) -> np.ndarray:
    """Digons that form at the start; at a snapshot of its own, every model's last pair jumps from 0 to a digon."""
    at = np.arange(SNAPSHOTS)
    W = np.zeros((SNAPSHOTS, len(late), M, N))
    size = 1 / (1 + np.exp(-(at - 8) / 1.0))
    for pair in range(DIGONS):
        W[:, :, pair, 2 * pair], W[:, :, pair, 2 * pair + 1] = 1, -size[:, None]
    for model, moment in enumerate(late):
        jump = 1 / (1 + np.exp(-(at - moment) / 0.7))
        W[:, model, DIGONS, 2 * DIGONS] = 0.4 + 0.6 * jump
        W[:, model, DIGONS, 2 * DIGONS + 1] = -jump
        # Before the jump, another shares the dimension a little, so that no D_i rests at 1.
        W[:, model, DIGONS, 2 * DIGONS + 2] = 0.3 * (1 - jump)
    return W


LATE = [40 + 4 * model for model in range(MODELS)]


def energy() -> dict[str, pd.DataFrame]:
    return measure.energy_levels({"energy_levels": along_training(energy_sweep(), growing(LATE))})


def learning_sweep(**changes: Any) -> Sweep:
    sets = {"correlated": [[0, 1, 2], [3, 4, 5]]}
    about = {
        "model": "relu_output",
        "n": 6,
        "m": 3,
        "density": 0.1,
        "distribution": sets,
        "restarts": 4,
        "steps": 10_000,
    }
    return Sweep.parse(about | {"snapshots": SNAPSHOTS, "evaluation": 20_000} | changes)


def learning_snapshots(ends: list[np.ndarray]) -> np.ndarray:
    """Each set grows into one direction, waits, and then spreads to its end."""
    steps = np.arange(1, SNAPSHOTS + 1) * 100
    first = 1 / (1 + (300 / steps) ** 6)
    second = 1 / (1 + (3000 / steps) ** 6)
    lines = np.zeros((3, 6))
    lines[0, :3] = lines[1, 3:] = 3**-0.5
    return np.stack(
        [first[:, None, None] * ((1 - s) * lines + s * end) for end in ends for s in [second[:, None, None]]], 1
    )


def learning() -> dict[str, pd.DataFrame]:
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    lost = measure.OCTAHEDRON * [0, 1, 1, 1, 1, 1]
    models = {
        SMALL_INIT: along_training(
            learning_sweep(initial_scale=0.1),
            learning_snapshots([measure.OCTAHEDRON] * 3 + [rotation @ measure.OCTAHEDRON]),
        ),
        XAVIER_INIT: along_training(learning_sweep(), learning_snapshots([measure.OCTAHEDRON] * 3 + [lost])),
    }
    return measure.geometric_learning(models)


@pytest.fixture(scope="module")
def data() -> Tables:
    return {"energy_levels": energy(), "geometric_learning": learning()}


# Energy levels


def test_jumps_of_models(data: Tables) -> None:
    """Each model's late pair, when and from where to where it jumps; the digons of the start are not among them."""
    tables = data["energy_levels"]
    models, jumps = tables["models"], tables["jumps"]
    assert models["digons"].all()
    assert (models["represented"] == 2 * DIGONS + 2).all()
    assert models["settled"].between(8, 20).all(), "every second feature has come in by then"
    newcomer = jumps[jumps["feature"] == 2 * DIGONS + 1].sort_values("restart")
    np.testing.assert_allclose(newcomer["snapshot"], LATE, atol=2)
    np.testing.assert_allclose(newcomer["before"], 0, atol=0.06)
    np.testing.assert_allclose(newcomer["after"], 0.5, atol=0.02)
    assert (newcomer["step"] == 10 * (newcomer["snapshot"] + 1)).all()
    assert models.loc[models["shown"], "restart"].tolist() == [MODELS - 1], "the one in which a jump comes latest"


def test_levels_are_those_of_the_model_shown(data: Tables) -> None:
    levels = data["energy_levels"]["levels"]
    assert len(levels) == SNAPSHOTS
    np.testing.assert_allclose(levels[[f"d{i}" for i in range(2 * DIGONS + 2)]].iloc[-1], 0.5, atol=1e-3)
    np.testing.assert_allclose(levels[[f"d{i}" for i in range(2 * DIGONS + 2, N)]].iloc[-1], 0, atol=1e-3)


def test_sum_within_a_window() -> None:
    """Against a loop; a snapshot near two moments counts once."""
    rng = np.random.default_rng(0)
    fall, moments = rng.normal(size=30), rng.integers(0, 30, (5, 3))
    found = _fall_within(fall, moments, 2)
    for row, value in zip(moments, found, strict=True):
        assert value == pytest.approx(sum(fall[k] for k in range(30) if any(abs(k - at) <= 2 for at in row)))


def curves(moments: list[list[int]], falls: list[list[int]], models: int = 12) -> dict[str, pd.DataFrame]:
    """Tables of models that jump at some moments, and whose loss falls by one at some."""
    at = np.arange(SNAPSHOTS)
    loss = {f"l{k}": 10 - sum((at > fall).astype(float) for fall in falls[k]) for k in range(models)}
    jumps = [(k, moment) for k in range(models) for moment in moments[k]]
    about = {"restart": range(models), "digons": True, "settled": 10, "jumps": [len(m) for m in moments[:models]]}
    return {
        "models": pd.DataFrame(about),
        "jumps": pd.DataFrame(jumps, columns=["restart", "snapshot"]),
        "losses": pd.DataFrame(loss),
    }


def test_fall_at_jumps() -> None:
    """All of the fall at the jumps, at times of their own: neither random moments nor another model's do as well."""
    when = [[20 + 6 * k] for k in range(12)]
    test = loss_fall_at_jumps(curves(when, when))
    assert test.share == pytest.approx(1)
    assert max(test.p_value(test.at_random), test.p_value(test.of_others)) < 1e-3
    elsewhere = loss_fall_at_jumps(curves(when, [[at[0] + 12 if at[0] < 80 else 14] for at in when]))
    assert elsewhere.share == pytest.approx(0)
    assert min(elsewhere.p_value(elsewhere.at_random), elsewhere.p_value(elsewhere.of_others)) == pytest.approx(1)


def test_a_common_trend_is_no_coincidence() -> None:
    """If all models jump early and all losses fall early, another model's moments do as well as its own."""
    early = [[14 + k % 3] for k in range(12)]
    test = loss_fall_at_jumps(curves(early, [[15]] * 12))
    assert test.p_value(test.at_random) < 0.01
    assert test.p_value(test.of_others) > 0.5


def test_what_falls_before_settling_does_not_count() -> None:
    when = [[20 + 6 * k] for k in range(12)]
    late = loss_fall_at_jumps(curves(when, [[5, *at] for at in when]))
    assert late.share == pytest.approx(1)


def test_p_values_are_uniform_where_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that finds something too often, or never, would be none."""
    monkeypatch.setattr(dynamics, "SHUFFLES", 400)
    rng, found = np.random.default_rng(5), []
    for _ in range(60):
        moments, falls = (rng.integers(14, 95, (12, 2)).tolist() for _ in range(2))
        test = loss_fall_at_jumps(curves(moments, falls), seed=int(rng.integers(10**6)))
        found.append([test.p_value(test.at_random), test.p_value(test.of_others)])
    for p in np.array(found).T:
        assert 0.3 < p.mean() < 0.7
        assert (p < 0.2).any()
        assert (p > 0.8).any()


# Geometric learning


def test_pairs_across() -> None:
    """Whichever way it is turned; an octahedron with a pair inside a set is another."""
    rng = np.random.default_rng(1)
    for _ in range(5):
        turned = np.linalg.qr(rng.normal(size=(3, 3)))[0] @ measure.OCTAHEDRON
        assert measure.antipodes_in_other_set(turned)
        assert measure.antipodes_in_other_set(turned[:, [1, 0, 2, 5, 3, 4]])
        assert not measure.antipodes_in_other_set(turned[:, [0, 3, 1, 4, 2, 5]])
    assert isinstance(measure.antipodes_in_other_set(np.zeros((3, 6))), bool)


def test_stages() -> None:
    lines = np.zeros((3, 6))
    lines[0, :3] = lines[1, 3:] = 3**-0.5
    assert measure._describe_stage(lines) == "0 in 2"
    assert measure._describe_stage(measure.OCTAHEDRON) == "6 in 3"
    assert measure._describe_stage(measure.OCTAHEDRON * [0, 1, 1, 1, 1, 1]) == "5 in 3"
    assert measure._describe_stage(0.1 * measure.OCTAHEDRON) == "0 in 0"


def test_runs(data: Tables) -> None:
    """How each ends, and the plateau on the way; in canonical orientation the end is the octahedron as it is drawn."""
    tables = data["geometric_learning"]
    runs = tables["runs"].set_index(["experiment", "restart"])
    assert runs.loc[SMALL_INIT, "octahedron"].tolist() == [True] * 4
    assert runs.loc[XAVIER_INIT, "octahedron"].tolist() == [True] * 3 + [False]
    assert runs.loc[SMALL_INIT, "across"].all()
    assert runs.loc[(XAVIER_INIT, 3), "represented"] == 5
    assert (runs.loc[SMALL_INIT, "path"] == "0 in 2 → 6 in 3").all()
    assert (runs["flattest"] < 0.5).all()
    assert runs["shown"].sum() == 1
    end = tables["moments"].query("moment == 'end'").sort_values("feature")
    np.testing.assert_allclose(end[["w0", "w1", "w2"]].to_numpy().T, measure.OCTAHEDRON, atol=0.01)
    plateau = tables["moments"].query("moment == 'plateau'")
    assert plateau["step"].nunique() == 1
    assert 500 < plateau["step"].iloc[0] < 2500
    assert len(tables["curve"]) == SNAPSHOTS


def test_which_run_is_shown() -> None:
    """Of the most frequent path to the octahedron the one with the lowest loss, from small weights."""
    runs = pd.DataFrame(
        {
            "experiment": [SMALL_INIT] * 5 + [XAVIER_INIT],
            "restart": [0, 1, 2, 3, 4, 0],
            "octahedron": [True, True, True, False, True, True],
            "path": ["a", "b", "b", "b", "a → b", "b"],
            "loss": [0.1, 0.3, 0.2, 0.0, 0.1, 0.0],
        }
    )
    assert measure._choose_run(runs) == 2
    assert measure._choose_run(runs.assign(octahedron=False)) == 3


# Claims


def test_verdicts_on_record(data: Tables, tmp_path: Path) -> None:
    """Of ideal models; of those of features that jump from level to level the paper's statement holds as it stands."""
    read = through_files(data, tmp_path)
    for claim in ("loss_drops", "octahedron"):
        assert verdict(judge.claims, claim, read) == "reproduced"
    on_levels = changed(read, "energy_levels", "jumps", "feature >= 0", before=0.01, after=0.49)
    assert verdict(judge.claims, "jumps", on_levels) == "reproduced"
    from_between = changed(on_levels, "energy_levels", "jumps", "feature >= 0", before=0.3)
    assert verdict(judge.claims, "jumps", from_between) == "corrected"


@pytest.mark.parametrize(
    ("table", "where", "columns"),
    [
        ("jumps", "feature >= 0", {"before": 0.3, "after": 0.3}),  # they end between the levels
        ("jumps", "feature >= 0", {"before": 0.3, "after": np.nan}),
        ("jumps", "feature >= 0", {"steps": 400.0}),  # they are slow
        ("jumps", "feature >= 0", {"steps": np.nan}),
        ("models", "restart >= 0", {"digons": False}),  # there is no such model
    ],
)
def test_what_jumps_must_not_be(data: Tables, table: str, where: str, columns: dict[str, Any]) -> None:
    base = changed(data, "energy_levels", "jumps", "feature >= 0", before=0.3, after=0.49)
    assert verdict(judge.claims, "jumps", base) == "corrected"
    assert verdict(judge.claims, "jumps", changed(base, "energy_levels", table, where, **columns)) == "not reproduced"


def test_slow_changes_are_no_jumps(data: Tables) -> None:
    """From level to level, but taking a good part of training."""
    slow = changed(data, "energy_levels", "jumps", "feature >= 0", before=0.01, after=0.49, steps=400.0)
    assert verdict(judge.claims, "jumps", slow) == "not reproduced"


def test_no_jumps_are_no_evidence(data: Tables) -> None:
    tables = data["energy_levels"]
    none = data | {
        "energy_levels": tables | {"jumps": tables["jumps"].iloc[:0], "models": tables["models"].assign(jumps=0)}
    }
    for claim in ("jumps", "loss_drops"):
        assert verdict(judge.claims, claim, none) == "not reproduced"


def test_loss_that_falls_elsewhere(data: Tables) -> None:
    """Evenly, or at the same moments in all models: the jumps then have nothing to do with it."""
    losses = data["energy_levels"]["losses"]
    names = [name for name in losses if name.startswith("l")]
    at = np.arange(SNAPSHOTS)
    for curve in (
        1.0 - at / SNAPSHOTS,
        np.where(at > 30, 0.0, 1.0),
        np.full(SNAPSHOTS, 0.5),
        np.full(SNAPSHOTS, np.nan),
    ):
        table = losses.assign(**dict.fromkeys(names, curve))
        other = data | {"energy_levels": data["energy_levels"] | {"losses": table}}
        assert verdict(judge.claims, "loss_drops", other) == "not reproduced"


def test_either_null_alone_is_not_enough() -> None:
    """What falls early in all models, which jump early too, is better than random moments but not than another's."""
    early, own = [[14 + k % 3] for k in range(12)], [[20 + 6 * k] for k in range(12)]
    for moments, falls, expected in ((early, [[15]] * 12, "not reproduced"), (own, own, "reproduced")):
        assert verdict(judge.claims, "loss_drops", {"energy_levels": curves(moments, falls)}) == expected


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        (f"experiment == '{SMALL_INIT}' and restart < 2", {"octahedron": False}),  # half of the runs are no majority
        (f"experiment == '{XAVIER_INIT}' and restart < 2", {"octahedron": False}),
        (f"experiment == '{SMALL_INIT}' and restart < 2", {"across": False}),
        (f"experiment == '{SMALL_INIT}' and restart < 2", {"flattest": 0.6}),
        (f"experiment == '{SMALL_INIT}' and restart < 2", {"flattest": np.nan}),
    ],
)
def test_what_an_octahedron_must_not_be(data: Tables, where: str, columns: dict[str, Any]) -> None:
    other = changed(data, "geometric_learning", "runs", where, **columns)
    assert verdict(judge.claims, "octahedron", other) == "not reproduced"


@pytest.mark.parametrize("missing", [SMALL_INIT, XAVIER_INIT])
def test_both_kinds_of_runs_are_needed(data: Tables, missing: str) -> None:
    runs = data["geometric_learning"]["runs"]
    rest = data | {"geometric_learning": data["geometric_learning"] | {"runs": runs[runs["experiment"] != missing]}}
    assert verdict(judge.claims, "octahedron", rest) == "not reproduced"


def test_plateaus_from_xavier_weights_are_not_asked_for(data: Tables) -> None:
    other = changed(data, "geometric_learning", "runs", f"experiment == '{XAVIER_INIT}'", flattest=np.nan)
    assert verdict(judge.claims, "octahedron", other) == "reproduced"
    assert judged(judge.claims, "octahedron", other)["measured"].endswith("a plateau in 100% and 0%")


# Figures


@pytest.mark.parametrize("figure", FIGURES)
def test_the_figure_is_the_same_every_time(figure: str, data: Tables, tmp_path: Path) -> None:
    assert "</svg>" in drawn_twice(draw, figure, through_files(data, tmp_path), tmp_path)


def test_drawn_without_jumps_and_without_plateaus(tmp_path: Path) -> None:
    """What a hardly trained model leaves."""
    still = np.zeros((SNAPSHOTS, 2, M, N))
    still[:, :, 0, 0] = 1
    tables = measure.energy_levels({"energy_levels": along_training(energy_sweep(restarts=2), still)})
    assert tables["jumps"].empty
    data = through_files({"energy_levels": tables}, tmp_path)
    assert "</svg>" in drawn(draw, "energy_levels", data, tmp_path)
    constant = np.tile(0.5 * measure.OCTAHEDRON, (SNAPSHOTS, 4, 1, 1))
    models = {name: along_training(learning_sweep(), constant) for name in (SMALL_INIT, XAVIER_INIT)}
    data = through_files({"geometric_learning": measure.geometric_learning(models)}, tmp_path)
    assert "</svg>" in drawn(draw, "geometric_learning", data, tmp_path)


def test_the_animation_is_the_same_every_time(data: Tables, tmp_path: Path) -> None:
    """One frame per step of the table."""
    tables = data["geometric_learning"]
    few = tables | {"frames": tables["frames"][tables["frames"]["step"].isin(tables["frames"]["step"].unique()[:3])]}
    for name in ("one", "two"):
        draw.animate_geometric_learning(few).save(tmp_path / f"{name}.gif", PillowWriter(fps=8), dpi=40)
    one, two = ((tmp_path / f"{name}.gif").read_bytes() for name in ("one", "two"))
    assert one == two
    assert one.startswith(b"GIF89a")
    assert one.count(b"\x21\xf9\x04") == 3


def test_a_coincidence_counts_itself() -> None:
    """No p-value of 0 from a finite number of shuffles."""
    assert Coincidence(1.0, np.zeros(99), np.ones(99)).p_value(np.zeros(99)) == pytest.approx(0.01)
    assert Coincidence(1.0, np.zeros(99), np.ones(99)).p_value(np.ones(99)) == 1
