"""Our training against that of other replications, side by side in one run: throughput, and time to an equal loss.

    python benchmarks/throughput.py              # everything; two idle cores: 10 to 20 minutes
    python benchmarks/throughput.py --threads 1  # on a busy machine: CPU seconds of one thread each

There is no short form: ``tests/test_benchmarks.py`` runs all of it on tiny models in seconds.

**Throughput** is the cost of a training step, of the authors' notebook and ours, in turns, from a few steps of each.

**Time to an equal loss** is the time of a replication's whole training, and the time of our shortest training that ends
with no higher expected loss at any density. First for the authors' notebook on the paper's architectures, where both
start from the same weights; then for each replication on figures of its own, where each starts from its own weights.
Other replications are restated in ``peers.py``. Their times are of complete runs, which their losses need in any case;
only a figure that would take days is trained in part (column ``scale``: both times are multiplied by it).

Nearly all the time of the benchmark is that of the replications' complete runs, in proportion to their models. So the
paper's architectures are compared at three densities only, the ends and the middle of the range.

Other jobs distort the comparison in our favour: the threads of eager PyTorch wait for each other at every operation,
ours once per block. CPU seconds of one thread are nearly free of that.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from peers import AUTHORS, FIGURES, Figure, Models, relu_output
from torch import Tensor

from superposition import Sweep, SweepResult, losses, train
from superposition.pipeline.record.machine import machine
from superposition.training.devices import available_cores

T = TypeVar("T")

# Steps of ours that are tried; the default of `Sweep` is 3000.
BUDGETS = (500, 1000, 2000, 3000, 5000)
# By how much, relatively, our loss may be higher and still count as equal.
TOLERANCE = 0.005
# Models of ours at each point, at least, where only the mean loss is compared.
COMPARED = 8
# Numbers drawn (samples × features) for a loss that has no closed form; the same ones for every model.
EVALUATION = 2**24
# Instances × samples × features of one repetition that measures throughput: of the authors' notebook, of ours.
NUMBERS = 3e7, 1e9


@dataclass(frozen=True)
class Shape:
    """An architecture of the paper (ReLU output), with the importances that it has there."""

    n: int
    m: int
    # Throughput: densities from 1 to 0.01, and instances at each.
    points: int
    copies: int
    # Time to an equal loss: models at each density.
    models: int
    decay: float = 1.0
    densities: tuple[float, ...] = (1, 0.1, 0.01)

    def many(self) -> Sweep:
        """Build the sweep whose throughput is measured."""
        densities = np.geomspace(1, 0.01, self.points).tolist()
        return relu_output(self.n, self.m, densities, self.decay, restarts=self.copies, evaluation=1)

    def figure(self) -> Figure:
        """Build the models that the authors' notebook and we train to an equal loss."""
        sweep = relu_output(self.n, self.m, list(self.densities), self.decay, restarts=self.models)
        return Figure("paper's architecture", AUTHORS, sweep, same_start=True)


SHAPES = (
    Shape(2, 1, points=100, copies=10, models=64),
    Shape(5, 2, points=100, copies=10, models=32, decay=0.9),
    Shape(10, 5, points=20, copies=10, models=16, decay=0.75),
    Shape(20, 5, points=16, copies=4, models=8, decay=0.7),
    Shape(80, 20, points=16, copies=1, models=4, decay=0.9),
    Shape(400, 30, points=10, copies=1, models=1, densities=(1, 0.1, 0.03)),
)


def fit(sweep: Sweep, **settings: float) -> SweepResult:
    """Train a sweep, with some settings changed, on the threads that PyTorch has here."""
    return train(sweep.model_copy(update=settings), device="cpu", threads=torch.get_num_threads())


def same_start(sweep: Sweep) -> tuple[Tensor, Tensor]:
    """Return W and b of all models of a sweep before our training."""
    initial = fit(sweep, steps=1, learning_rate=0.0).parameters
    return initial["W"].flatten(0, 1), initial["b"].flatten(0, 1)


def expected_losses(sweep: Sweep, W: Tensor, b: Tensor) -> np.ndarray:
    """Return the expected loss of every model, [point, k], from W [instance, m, n] and b [instance, n]."""
    shape = (sweep.size, -1)
    parameters = {"W": W.unflatten(0, shape), "b": b.unflatten(0, shape)}
    exactly = sweep.model_copy(update={"evaluation": EVALUATION})
    return losses(exactly, parameters, threads=torch.get_num_threads())[0].numpy()


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Do some work; return the seconds it took, wall time or where there is one thread its CPU time, and its result."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    result = work()
    return clock() - start, result


def in_turns(repetitions: int, *works: Callable[[], object]) -> np.ndarray:
    """Measure seconds, [work, repetition]; in turns, so that other jobs disturb all of them alike."""
    return np.array([[timed(work)[0] for work in works] for _ in range(repetitions)]).T


def throughput(shape: Shape, repetitions: int) -> dict[str, float]:
    """Measure the nanoseconds per instance, sample and feature of one training step.

    Ours are whole calls of ``train``, a long one less one of a single step. ``quiet`` is the ratio of the fastest
    repetitions, those that other jobs disturbed least.
    """
    sweep = shape.many()
    numbers = sweep.models * sweep.batch * shape.n
    steps, our_steps = (max(3, round(total / numbers)) for total in NUMBERS)
    models = Models(AUTHORS, sweep)
    models.advance(2)
    works = lambda: models.advance(steps), lambda: fit(sweep, steps=our_steps + 1), lambda: fit(sweep, steps=1)
    theirs, long, short = in_turns(repetitions, *works) * 1e9 / numbers
    theirs, ours = theirs / steps, (long - short) / our_steps
    a, b = np.median(theirs), np.median(ours)
    rates = {"theirs": a, "ours": b, "ratio": a / b, "quiet": theirs.min() / ours.min()}
    return {"n": shape.n, "m": shape.m, "instances": sweep.models} | rates


def by_density(sweep: Sweep, loss: np.ndarray) -> np.ndarray:
    """Take means over the points of equal density: from [point, k] to [density, k]."""
    return loss.reshape(len(sweep.density), -1, loss.shape[1]).mean(axis=1)


def our_losses(figure: Figure, steps: int) -> np.ndarray:
    """Train the figure's models in so many steps; return expected losses, [density, k].

    Where the replication keeps the best of several trials, k is 1: the best of as many of ours.
    """
    sweep, choose = figure.sweep, figure.trials > 1
    several = figure.trials if choose else max(sweep.restarts, COMPARED)
    p = fit(sweep, steps=steps, restarts=sweep.restarts if figure.same_start else several).parameters
    loss = expected_losses(sweep, p["W"].flatten(0, 1), p["b"].flatten(0, 1))
    return by_density(sweep, loss.min(axis=1, keepdims=True) if choose else loss)


def uncertainty(theirs: np.ndarray, ours: np.ndarray, paired: bool) -> np.ndarray:
    """Estimate the standard error of the difference of two mean losses, [density]; 0 where there is one model each."""

    def variance(loss: np.ndarray) -> np.ndarray:
        return loss.var(axis=1, ddof=1) / loss.shape[1] if loss.shape[1] > 1 else np.zeros(len(loss))

    return np.sqrt(variance(ours - theirs) if paired else variance(ours) + variance(theirs))


def compare_losses(figure: Figure, theirs: np.ndarray, budgets: Iterable[int]) -> pd.DataFrame:
    """Train ours for every budget of steps; return mean losses by density and steps."""
    parts = []
    for steps in budgets:
        ours, mean = our_losses(figure, steps), theirs.mean(axis=1)
        columns = {"theirs": mean, "ours": ours.mean(axis=1), "ratio": ours.mean(axis=1) / mean}
        error = uncertainty(theirs, ours, figure.same_start) / mean
        parts.append(pd.DataFrame({"density": figure.sweep.density, "steps": steps, **columns, "error": error}))
    return pd.concat(parts, ignore_index=True)


def fewest_steps(loss: pd.DataFrame) -> tuple[int | None, int]:
    """Return the fewest steps of ours whose loss is no higher at any density, and how many standard errors that takes.

    Where no budget keeps within the tolerance, two standard errors are added to it: in which basin a model ends is a
    lottery. None if that is not enough, either.
    """
    for errors in (0, 2):
        good = (loss["ratio"] <= 1 + TOLERANCE + errors * loss["error"]).groupby(loss["steps"]).all()
        if good.any():
            return int(good.idxmax()), errors
    return None, 2


def time_to_loss(figure: Figure, repetitions: int, budgets: Iterable[int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure the seconds of a figure's training and of ours to an equal loss: one row; and the losses compared.

    Ours are whole calls of ``train`` at Sweep's defaults, its evaluation of the models included.
    """
    sweep, how = figure.sweep, figure.how
    initial = same_start(sweep) if figure.same_start else None
    took, theirs = [], []
    for _ in range(figure.runs):
        duration, parameters = timed(lambda: figure.train(initial))
        took.append(duration)
        theirs.append(by_density(sweep, expected_losses(sweep, *parameters)))
    loss = compare_losses(figure, np.concatenate(theirs, axis=1), budgets)
    steps, errors = fewest_steps(loss)
    row: dict[str, Any] = {"replication": how.name, "figure": figure.name, "n": sweep.n, "m": sweep.m}
    row |= {"models": sweep.models * figure.trials, "scale": figure.scale, "their steps": how.steps}
    row |= {"our steps": np.nan if steps is None else steps, "errors": errors}
    row["theirs"] = figure.scale * float(np.median(took))
    restarts = sweep.restarts * figure.trials
    if steps is not None:
        (ours,) = in_turns(repetitions, lambda: fit(sweep, steps=steps, restarts=restarts))
        row["ours"] = figure.scale * float(np.median(ours))
        row["ratio"] = row["theirs"] / row["ours"]
        means = loss[loss["steps"] == steps]
        row |= {"their loss": means["theirs"].mean(), "our loss": means["ours"].mean()}
    names = {k: row[k] for k in ("replication", "figure", "n", "m")}
    return pd.DataFrame([row]), loss.assign(**names)[[*names, *loss]]


def table(frame: pd.DataFrame) -> str:
    """Write a Markdown table: four significant digits, whole numbers in full, empty where there is no number."""
    cells = frame.convert_dtypes().astype(object).where(frame.notna(), None)
    return cells.to_markdown(index=False, floatfmt=".4g", missingval="")


def losses_by_steps(loss: pd.DataFrame) -> pd.DataFrame:
    """Arrange our losses, relative to theirs, with a column for each number of steps; mark those that are higher."""
    excess = loss["ratio"] - 1 - TOLERANCE
    mark = np.select([excess > 2 * loss["error"], excess > 0], [" !!", " !"], "")
    shown = loss.assign(shown=loss["ratio"].map("{:.3f}".format) + mark)
    index = ["replication", "figure", "n", "m", "density", "theirs"]
    arranged = shown.pivot(index=index, columns="steps", values="shown")
    return arranged.reindex(pd.MultiIndex.from_frame(loss[index].drop_duplicates())).reset_index()


def report(frames: dict[str, pd.DataFrame], where: str) -> str:
    """Write the whole benchmark as Markdown."""
    return f"""# Training, against other replications

{where}

## Throughput: ns per instance, sample and feature of a training step

Theirs is the authors' notebook. Medians, taken in turns; `quiet` is the ratio of the fastest repetitions, those that
other jobs disturbed least.

{table(frames["throughput"])}

## Time to an equal loss: seconds

Theirs is the whole training of a figure, ours a whole call of `train` for as many models: with the fewest steps that
end with no higher loss at any density, within {TOLERANCE:.1%} and `errors` standard errors; none where {max(BUDGETS)}
are too few. The losses are means over densities. Where `scale` is not 1, the figure has so many times more models than
were trained, and both times are multiplied by it.

{table(frames["time"])}

## Loss: theirs, and ours relative to it after so many steps

Means over models. `!`: higher by more than {TOLERANCE:.1%}; `!!`: and by two standard errors.

{table(losses_by_steps(frames["loss"]))}
"""


def main() -> None:
    """Run the benchmark and write its report and its numbers."""
    parser = argparse.ArgumentParser(description="Our training against that of other replications.")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/throughput"), help="without suffix")
    parser.add_argument("--repetitions", type=int, default=3, help="of what is measured by a few steps, and of ours")
    parser.add_argument("--threads", type=int, default=available_cores(), help="1: CPU time instead of wall time")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    where = (
        f"{machine()}; {arguments.threads} threads on {available_cores()} usable cores, torch {torch.__version__}, "
        f"float32; load of other jobs at the start {os.getloadavg()[0]:.1f}."
    )
    frames: dict[str, pd.DataFrame] = {}

    def keep(name: str, rows: pd.DataFrame) -> None:
        print(f"{name}\n{rows.to_string(index=False)}", flush=True)
        frames[name] = pd.concat([*([frames[name]] if name in frames else []), rows], ignore_index=True)

    print(where, flush=True)
    for shape in SHAPES:
        keep("throughput", pd.DataFrame([throughput(shape, arguments.repetitions)]))
    for figure in (*(shape.figure() for shape in SHAPES), *FIGURES):
        row, loss = time_to_loss(figure, arguments.repetitions, BUDGETS)
        keep("time", row)
        keep("loss", loss)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(frames, names=["measurement"]).droplevel(1).to_csv(arguments.output.with_suffix(".csv"))
    text = report(frames, where)
    arguments.output.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
