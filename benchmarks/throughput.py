"""Our training against the published recipe, side by side in one run: throughput, and time to an equal loss.

    python benchmarks/throughput.py             # up to n=80; two idle cores: about 20 minutes
    python benchmarks/throughput.py --full      # n=400 too: another 10 minutes
    python benchmarks/throughput.py --threads 1 # on a machine that is busy: CPU seconds of one thread each

The baseline is the recipe of the authors' public notebook in our own words: eager PyTorch, all instances in one
tensor, draws of its own for every instance, AdamW at a constant rate, 10 000 steps.

Other jobs distort the comparison in our favour: the threads of eager PyTorch wait for each other at every operation,
ours once per block. CPU seconds of one thread are nearly free of that.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from superposition import Sweep, Trained, exact, train
from superposition.engine import Block, Recipe
from superposition.features import Gates
from superposition.fused import Fused
from superposition.models import Model
from superposition.training import available_cores

BATCH, PUBLISHED_STEPS = 1024, 10_000
BUDGETS = (500, 1000, 2000, 3000, 5000)  # of our steps; Sweep's default is 3000
TOLERANCE = 0.005  # "no worse", relative
EVALUATION = 2**24  # numbers drawn for the loss of a model with n > 3; the same ones for every model
NUMBERS = 3e7, 1e9  # instances × samples × features of one repetition: the recipe's, ours


@dataclass(frozen=True)
class Shape:
    """One architecture (ReLU output), with the importances that the paper gives it."""

    n: int
    m: int
    points: int  # throughput: densities from 1 to 0.01
    copies: int  # throughput: instances at each
    restarts: int  # equal loss: models at each density
    decay: float = 1.0  # I_i = decay^i
    densities: tuple[float, ...] = (1, 0.3, 0.1, 0.03, 0.01)  # equal loss
    aim: float = np.nan  # throughput, times the recipe's
    time_aim: float = np.nan  # time to an equal loss, times faster

    def sweep(self, **settings: Any) -> Sweep:
        return Sweep(model="relu_output", n=self.n, m=self.m, importance={"decay": self.decay}, batch=BATCH, **settings)


SHAPES = (
    Shape(2, 1, points=100, copies=10, restarts=64, aim=50),
    Shape(5, 2, points=100, copies=10, restarts=32, decay=0.9),
    Shape(10, 5, points=20, copies=10, restarts=16, decay=0.75, aim=20),
    Shape(20, 5, points=16, copies=4, restarts=8, decay=0.7, aim=20),
    Shape(80, 20, points=16, copies=1, restarts=4, decay=0.9),
    Shape(400, 30, points=10, copies=1, restarts=1, densities=(1, 0.3, 0.1, 0.03), aim=8, time_aim=40),
)


def fit(sweep: Sweep, **settings: float) -> Trained:
    return train(sweep.model_copy(update=settings), device="cpu", threads=torch.get_num_threads())


class Published:
    """The published recipe on the instances of a sweep, in the order (density, restart)."""

    def __init__(self, sweep: Sweep, device: str = "cpu") -> None:
        torch.manual_seed(0)
        grid = (torch.from_numpy(a).float().to(device) for a in (sweep.densities(), sweep.importances()))
        self.density, self.importance = (a.repeat_interleave(sweep.restarts, 0) for a in grid)
        # Xavier-normal W and b = 0: the very same as ours, since they mostly settle in which basin a model ends.
        initial = fit(sweep, steps=1, learning_rate=0.0).parameters
        self.W, self.b = (initial[k].flatten(0, 1).to(device, copy=True).requires_grad_() for k in ("W", "b"))
        self.optimizer = torch.optim.AdamW([self.W, self.b], lr=1e-3, weight_decay=0.01)

    def advance(self, steps: int) -> None:
        shape = (BATCH, *self.density.shape)
        for _ in range(steps):
            on, value = (torch.rand(shape, device=self.b.device) for _ in range(2))
            x = torch.where(on <= self.density, value, 0.0)
            h = torch.einsum("bif,ihf->bih", x, self.W)
            out = torch.relu(torch.einsum("bih,ihf->bif", h, self.W) + self.b)
            loss = (self.importance * (x - out) ** 2).mean(dim=(0, 2)).sum()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()


@torch.no_grad()
def expected_losses(sweep: Sweep, W: Tensor, b: Tensor) -> np.ndarray:
    """The expected loss of every model, [density, restart], from W [instance, m, n] and b [instance, n]."""
    model, shape = Model.of(sweep), (len(sweep.density), sweep.restarts)
    density, importance = (np.repeat(a, sweep.restarts, axis=0) for a in (sweep.densities(), sweep.importances()))
    p, weights = {"W": W.double(), "b": b.double()}, torch.from_numpy(importance)
    if model.n <= 3:
        return exact.expected_loss(model, p, torch.from_numpy(density), weights).numpy().reshape(shape)
    gates = Gates.of(density, sweep.distribution * len(density), has_sets=False)
    block = Block(model, gates, weights.float(), torch.zeros(len(density), 2, dtype=torch.int64))
    mean, _ = Fused(block, Recipe.of(sweep), torch.cat([W.flatten(1), b], dim=1)).losses(EVALUATION // model.n)
    empty = gates.empty.double().numpy()
    return (empty * exact.empty_loss(model, p, weights).numpy() + (1 - empty) * mean).reshape(shape)


def seconds(work: Callable[[], object]) -> float:
    """Wall time; of one thread the CPU time."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    work()
    return clock() - start


def in_turns(repetitions: int, *works: Callable[[], object]) -> np.ndarray:
    """Seconds, [work, repetition]; in turns, so that other jobs meet all."""
    return np.array([[seconds(work) for work in works] for _ in range(repetitions)]).T


def compare(recipe: np.ndarray, ours: np.ndarray) -> dict[str, float]:
    a, b = np.median(recipe), np.median(ours)
    return {"recipe": a, "ours": b, "ratio": a / b, "quiet": recipe.min() / ours.min()}


def throughput(shape: Shape, repetitions: int) -> dict[str, float]:
    """ns per instance, sample and feature of one training step; ours by whole calls of ``train``, long less short."""
    instances = shape.points * shape.copies
    numbers = instances * BATCH * shape.n
    steps, our_steps = (max(3, round(total / numbers)) for total in NUMBERS)
    sweep = shape.sweep(density={"from": 1, "to": 0.01, "points": shape.points}, restarts=shape.copies, evaluation=1)
    published = Published(sweep)
    published.advance(2)
    works = lambda: published.advance(steps), lambda: fit(sweep, steps=our_steps + 1), lambda: fit(sweep, steps=1)
    recipe, long, short = in_turns(repetitions, *works) * 1e9 / numbers
    return {"instances": instances, **compare(recipe / steps, (long - short) / our_steps), "aim": shape.aim}


def losses(sweep: Sweep, published: Published) -> pd.DataFrame:
    """Trains the recipe to its end, and ours for every budget: mean losses over the restarts, by density and steps."""
    whole = seconds(lambda: published.advance(PUBLISHED_STEPS))
    print(f"n={sweep.n}, m={sweep.m}: the recipe's {PUBLISHED_STEPS} steps took {whole:.0f} s", flush=True)
    theirs, parts = expected_losses(sweep, published.W, published.b), []
    for steps in BUDGETS:
        p = fit(sweep, steps=steps).parameters
        ours = expected_losses(sweep, p["W"].flatten(0, 1), p["b"].flatten(0, 1))
        error = (ours - theirs).std(axis=1) / max(1, sweep.restarts - 1) ** 0.5 / theirs.mean(axis=1)
        means = {"recipe": theirs.mean(axis=1), "ours": ours.mean(axis=1)}
        best = {"recipe_best": theirs.min(axis=1), "ours_best": ours.min(axis=1)}
        ratio = {"ratio": means["ours"] / means["recipe"], "error": error}
        parts.append(pd.DataFrame({"density": sweep.density, "steps": steps, **means, **ratio, **best}))
    return pd.concat(parts, ignore_index=True)


def time_to_loss(shape: Shape, sweep: Sweep, published: Published, loss: pd.DataFrame, turns: int) -> dict[str, float]:
    """Seconds of the recipe's 10 000 steps (1 % of them, multiplied), and of our fewest that end no worse anywhere.

    Where no budget keeps within the tolerance, two standard errors are added to it: in which basin a restart ends is a
    lottery. Ours is a whole call of ``train`` at Sweep's defaults, ranking included.
    """
    found = {"steps": np.nan, "errors": np.nan}
    for errors in (2, 0):
        good = (loss["ratio"] <= 1 + TOLERANCE + errors * loss["error"]).groupby(loss["steps"]).all()
        if good.any():
            found = {"steps": good.idxmax(), "errors": errors}
    steps = max(BUDGETS) if np.isnan(found["steps"]) else int(found["steps"])
    recipe, ours = in_turns(turns, lambda: published.advance(PUBLISHED_STEPS // 100), lambda: fit(sweep, steps=steps))
    return {"instances": len(published.b), **found, **compare(100 * recipe, ours), "aim": shape.time_aim}


def table(frame: pd.DataFrame) -> str:
    """A Markdown table: four significant digits, whole numbers in full, empty where there is no number."""

    def cell(value: str | float) -> str:
        if isinstance(value, str) or value != value:
            return value if isinstance(value, str) else ""
        return f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"

    cells = [[cell(value) for value in row] for row in frame.to_numpy()]
    lines = [[str(c) for c in frame], ["---:"] * frame.shape[1], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(rates: pd.DataFrame, times: pd.DataFrame, loss: pd.DataFrame, where: str) -> str:
    """The whole benchmark as Markdown."""
    excess = loss["ratio"] - 1 - TOLERANCE
    mark = np.select([excess > 2 * loss["error"], excess > 0], [" !!", " !"], "")
    shown = loss.assign(shown=loss["ratio"].map("{:.3f}".format) + mark)
    shown = shown.pivot(index=["n", "m", "density", "recipe"], columns="steps", values="shown").reset_index()
    return f"""# Training, against the published recipe

{where}

Medians, taken in turns; `quiet` is the ratio of the fastest repetitions, those that other jobs disturbed least.

## Throughput: ns per instance, sample and feature of a training step

{table(rates)}

## Time to the recipe's final loss: seconds

The recipe takes {PUBLISHED_STEPS} steps, ours `steps`: the fewest whose loss is no worse at any density, within
{TOLERANCE:.1%} and `errors` standard errors. No `steps`: not reached in {max(BUDGETS)}.

{table(times)}

## Loss: the recipe's, and ours relative to it after so many steps

Means over restarts, same initial weights. `!`: worse by more than {TOLERANCE:.1%}; `!!`: and two standard errors.

{table(shown.sort_values(["n", "density"], ascending=[True, False]))}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Our training against the published recipe.")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/throughput"), help="without suffix")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=available_cores(), help="1: CPU time instead of wall time")
    parser.add_argument("--full", action="store_true", help="n=400, m=30 to its final loss as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    where = (
        f"{platform.processor() or platform.machine()}, {arguments.threads} of {available_cores()} cores, "
        f"torch {torch.__version__}, float32, batch {BATCH}; load of other jobs at the start {os.getloadavg()[0]:.1f}."
    )
    frames: dict[str, pd.DataFrame] = {name: pd.DataFrame() for name in ("throughput", "time", "loss")}

    def keep(name: str, shape: Shape, rows: pd.DataFrame) -> None:
        rows.insert(0, "n", shape.n)
        rows.insert(1, "m", shape.m)
        print(f"{name}\n{rows.to_string(index=False)}", flush=True)
        frames[name] = pd.concat([frames[name], rows], ignore_index=True)

    for shape in SHAPES:
        keep("throughput", shape, pd.DataFrame([throughput(shape, arguments.repetitions)]))
    for shape in [s for s in SHAPES if arguments.full or s.n <= 80]:
        sweep = shape.sweep(density=shape.densities, restarts=shape.restarts)
        published = Published(sweep)
        loss = losses(sweep, published)
        keep("time", shape, pd.DataFrame([time_to_loss(shape, sweep, published, loss, arguments.repetitions)]))
        keep("loss", shape, loss)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(frames, names=["measurement"]).droplevel(1).to_csv(arguments.output.with_suffix(".csv"))
    text = report(frames["throughput"], frames["time"], frames["loss"], where)
    arguments.output.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
