"""How training grows with the number of models, and what a phase diagram of ten million of them would take.

    python benchmarks/scale.py    # two cores: about three minutes

The phase diagram's models on larger grids, each size in a process of its own. Core seconds are nearly free of what else
the machine does.
"""

import multiprocessing
import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from peers import phase_diagram

from superposition import train

SHAPES = ((2, 1), (3, 2))  # n, m
RESTARTS = 10
FEW_STEPS, STEPS = 20, 2000  # of the runs that show the growth; of the recipe
SIDES = (32, 100, 316)  # points along each of the two axes: 10⁴, 10⁵, 10⁶ models
PLAN_SIDE, SPLIT, CORES = 1000, 10, 4  # the plan: points along each axis, jobs, cores of each
NODES = (1, 5, 10)


def measure(n: int, m: int, side: int, steps: int, part: tuple[int, int] = (1, 1), device: str = "cpu") -> dict:
    """Return what a training cost, and the memory of its process at its highest."""
    sweep = phase_diagram(n, m, side, restarts=RESTARTS, steps=steps)
    start, cores = time.perf_counter(), time.process_time()
    models = train(sweep, device, part=part).loss.numel()
    seconds, cores = time.perf_counter() - start, time.process_time() - cores
    return {
        "n, m": f"{n}, {m}",
        "models": models,
        "steps": steps,
        "seconds": seconds,
        "core µs per model": 1e6 * cores / models,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def alone(*arguments: Any) -> dict:
    """Measure a training in a process of its own, so that its memory is no other's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        row = pool.submit(measure, *arguments).result()
    print(row, flush=True)
    return row


def planned(cost: dict, memory: float) -> dict:
    """Return what the large grid would take, at the recipe's cost per model."""
    models = PLAN_SIDE**2 * RESTARTS
    hours = models * cost["core µs per model"] / 3.6e9
    return {
        "n, m": cost["n, m"],
        "core ms per model": cost["core µs per model"] / 1e3,
        "core hours": hours,
        "minutes per job": 60 * hours / SPLIT / CORES,
        "MB per job": memory,
        **{f"hours, {nodes} nodes": hours / CORES / nodes for nodes in NODES},
    }


def main() -> None:
    growth = [alone(2, 1, side, FEW_STEPS) for side in SIDES]
    growth.append(alone(2, 1, PLAN_SIDE, FEW_STEPS, (1, SPLIT)))
    costs = [alone(n, m, SIDES[0], STEPS) for n, m in SHAPES]
    plan = [planned(cost, growth[-1]["peak MB"]) for cost in costs]
    gpu = "There is no GPU here: not measured."
    if torch.cuda.is_available():
        rows = [alone(n, m, SIDES[1], STEPS, (1, 1), "cuda") for n, m in SHAPES]
        hours = {row["n, m"]: row["seconds"] / row["models"] * PLAN_SIDE**2 * RESTARTS / 3600 for row in rows}
        gpu = f"{torch.cuda.get_device_name()}: " + "; ".join(f"n, m = {k}: {v:.2f} h" for k, v in hours.items())
    text = f"""# Scale

{os.cpu_count()} cores, torch {torch.__version__}. Growth, at few steps; the last row is one of {SPLIT} parts of the
plan's grid:

{pd.DataFrame(growth).to_markdown(index=False, floatfmt=".3g")}

The recipe:

{pd.DataFrame(costs).to_markdown(index=False, floatfmt=".4g")}

{PLAN_SIDE} × {PLAN_SIDE} points × {RESTARTS} restarts in {SPLIT} jobs on nodes of {CORES} such cores:

{pd.DataFrame(plan).to_markdown(index=False, floatfmt=".3g")}

On one GPU: {gpu}
"""
    output = Path("results/benchmarks/scale.md")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
