"""The benchmarks: other replications train as described, tables add up, and the critical path is found."""

import json
import re
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import dag
import numpy as np
import pandas as pd
import peers
import pytest
import throughput
import torch
from peers import AUTHORS, FIGURES, KELTIN13, YMGW55, Figure, Models, TrainingConfiguration, relu_output


def tiny(how: TrainingConfiguration) -> TrainingConfiguration:
    return replace(how, batch=8, steps=4)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the whole benchmark on one small architecture and two small figures; return its output without a suffix."""
    by_trials = Figure("phase diagram", tiny(KELTIN13), peers.phase_diagram(2, 1, 2), trials=2)
    in_part = Figure("phase diagram", tiny(YMGW55), peers.phase_diagram(2, 1, 2, restarts=2), together=16, models=800)
    monkeypatch.setattr(throughput, "SHAPES", (throughput.Shape(5, 2, points=2, copies=1, models=2),))
    monkeypatch.setattr(throughput, "FIGURES", (by_trials, in_part))
    monkeypatch.setattr(throughput, "BUDGETS", (2, 20))
    monkeypatch.setattr(throughput, "EVALUATION", 2**12)
    monkeypatch.setattr(throughput, "NUMBERS", (1e4, 1e6))
    monkeypatch.setattr(throughput, "AUTHORS", tiny(AUTHORS))
    output = tmp_path / "made" / "throughput"
    monkeypatch.setattr(sys, "argv", ["throughput.py", "--output", str(output), "--repetitions", "1", "--threads", "1"])
    throughput.main()
    return output


def test_the_tables(written: Path) -> None:
    """There is a row for every architecture and figure, and ratios are those of the two times."""
    rows = pd.read_csv(written.with_suffix(".csv"))
    rates, times = (rows[rows["measurement"] == name] for name in ("throughput", "time"))
    assert len(rates) == 1
    assert list(times["replication"]) == ["authors' notebook", "keltin13", "ymgw55"]
    assert list(zip(times["models"], times["scale"], strict=True)) == [(6, 1), (8, 1), (8, 100)]
    reached = times[times["our steps"].notna()]
    # A throughput is a difference of two short times here, which may be negative.
    assert (reached[["theirs", "ours"]] > 0).all(axis=None)
    for measured in (rates, reached):
        np.testing.assert_allclose(measured["ratio"], measured["theirs"] / measured["ours"])
    assert len(reached)
    loss = rows[rows["measurement"] == "loss"]
    assert len(loss) == 2 * (3 + 2 + 2)  # Budgets by densities.
    text = written.with_suffix(".md").read_text()
    # Its time, and its losses at two densities.
    assert len(re.findall(r"^\| keltin13 +\| phase diagram +\|", text, re.MULTILINE)) == 1 + 2


def test_the_fewest_steps() -> None:
    """The fewest steps are those whose loss is nowhere higher, with as few standard errors of tolerance as needed."""
    loss = pd.DataFrame({"density": [1, 0.1] * 3, "steps": [10, 10, 20, 20, 30, 30], "error": 0.1})
    assert throughput.fewest_steps(loss.assign(ratio=[1, 1.5, 1, 1, 1, 1])) == (20, 0)
    assert throughput.fewest_steps(loss.assign(ratio=[1, 1.5, 1, 1.1, 0.9, 1.1])) == (20, 2)
    assert throughput.fewest_steps(loss.assign(ratio=[1, 1.5, 1, 1.5, 0.9, 1.5])) == (None, 2)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: f"{figure.how.name}, {figure.name}")
def test_every_figure_is_trained(figure: Figure) -> None:
    """It has its replication's optimizer, and one tensor of weights for all models."""
    few = replace(figure, how=replace(figure.how, batch=4, steps=2), trials=min(figure.trials, 2))
    W, b = few.train()
    sweep = figure.sweep
    assert W.shape == (sweep.models, sweep.m, sweep.n)
    assert b.shape == (sweep.models, sweep.n)
    assert b.any()
    models = Models(figure.how, sweep, together=figure.together)
    assert type(models.optimizer) is figure.how.optimizer
    assert models.optimizer.param_groups[0]["weight_decay"] == figure.how.weight_decay


@pytest.mark.parametrize(
    ("how", "rates"),
    [
        (AUTHORS, [1e-3, 1e-3, 1e-3]),
        (KELTIN13, [1e-2, 1e-2 * (1 + 0.5**0.5) / 2, 5e-3]),  # (1 + cos πt/T) / 2 at t = 0, T/4, T/2
        (YMGW55, [1e-3, 1e-3 * np.cos(np.pi / 6), 5e-4]),  # cos(πt / 2(T - 1)) at t = 0, (T - 1)/3, 2(T - 1)/3
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_learning_rates(how: TrainingConfiguration, rates: list[float]) -> None:
    steps = 7 if how is YMGW55 else 8
    models = Models(replace(how, batch=2, steps=steps), relu_output(2, 1, [1.0]))
    taken = []
    for _ in range(3):
        models.advance(1)
        taken.append(models.optimizer.param_groups[0]["lr"])
        models.advance(1)
    np.testing.assert_allclose(taken, rates)


@pytest.mark.parametrize(("axes", "fans"), [("ifh", 20 * 5 + 300 * 5), ("ihf", 20 * 5 + 300 * 20)])
def test_initial_weights_depend_on_the_tensor(axes: str, fans: int) -> None:
    """The scale of initial weights depends, as in PyTorch, on the number of models and on the order of the axes."""
    torch.manual_seed(0)
    W, b = Models(replace(AUTHORS, axes=axes), relu_output(20, 5, [1.0], restarts=200), together=300).weights
    assert W.shape == (200, 5, 20)
    assert W.std().item() == pytest.approx((2 / fans) ** 0.5, rel=0.02)
    assert not b.any()


@pytest.mark.parametrize("axes", ["ifh", "ihf"])
def test_the_gradient_of_their_loss(axes: str) -> None:
    """A step of plain gradient descent on one sample follows the gradient of the paper's loss."""
    how = replace(AUTHORS, optimizer=torch.optim.SGD, weight_decay=0.0, learning_rate=0.1, axes=axes, batch=1)
    sweep = relu_output(3, 2, [1.0, 0.5], decay=0.5)
    W, b = torch.randn(2, 2, 3), torch.full((2, 3), 0.1)
    models = Models(how, sweep, initial=(W, b))
    torch.manual_seed(1)
    models.advance(1)
    torch.manual_seed(1)
    x = models.samples(1)[0]
    W, b = W.requires_grad_(), b.requires_grad_()
    out = torch.relu((W.mT @ (W @ x[:, :, None]))[:, :, 0] + b)
    loss = (torch.tensor([1, 0.5, 0.25]) * (x - out) ** 2).sum() / 3
    gradients = torch.autograd.grad(loss, [W, b])
    for after, before, gradient in zip(models.weights, (W, b), gradients, strict=True):
        torch.testing.assert_close(after, before.detach() - 0.1 * gradient)


def test_where_the_time_of_a_run_went(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The critical path goes through the slowest training and what needs it, and rules add up beside an earlier run."""
    chain = {"train/phase_2in1": 100.0, "measure/phase_2in1": 7.0, "draw/phase_2in1": 2.0, "report": 1.0}
    for run, factor in (("new", 1.0), ("old", 3.0)):
        results = tmp_path / run / "paper"
        for name, seconds in (chain | {"train/theory": 1.0, "draw/theory": 50.0}).items():
            before = [previous for previous, following in pairwise(chain) if following == name]
            output = str(results / "report.html") if name == "report" else name
            when = str([*chain, "train/theory", "draw/theory"].index(name))
            record = {"rule": name.split("/")[0], "input": before, "output": [output], "machine": "Abacus"}
            for folder, suffix, text in (
                ("logs", "log", json.dumps(record | {"start": when, "end": when})),
                ("benchmarks", "tsv", f"s\tcpu_time\n{factor * seconds}\t{2 * factor * seconds}\n"),
            ):
                path = results / folder / f"{name}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    new, old = tmp_path / "new" / "paper", tmp_path / "old" / "paper"
    assert dag.critical_path(dag.jobs(new), new) == list(chain.items())
    monkeypatch.setattr(dag, "matrix_rate", lambda: 1e11)
    monkeypatch.setattr(sys, "argv", ["dag.py", str(new), "--before", str(old)])
    dag.main()
    table = {
        line.split()[0]: line.split()[1:]
        for line in capsys.readouterr().out.splitlines()
        if line[:5] in ("all  ", "train")
    }
    assert float(table["all"][-1]) == 3
    assert float(table["train"][1]) == 101
