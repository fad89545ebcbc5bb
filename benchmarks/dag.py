"""Where the time of a run went, by rule, and how far training is from the machine's limit.

    python benchmarks/dag.py                # of results/paper, after `snakemake --cores all`
    python benchmarks/dag.py results/quick

Times are those that Snakemake took of every job; it samples the core seconds, and misses the end of a job. The limit of
training is its arithmetic, five products of n by m for every sample, at the rate of a large matrix product on one core.
Going through few features alone takes less than that.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

from superposition.core.sweep import Sweep
from superposition.pipeline.config import Config
from superposition.pipeline.scheduling import training_batches

SIZE, SECONDS = 2048, 5.0  # of the matrices, and for how long they are multiplied


def peak() -> float:
    """Floating-point operations per second of one core: the best of many products of large matrices, float32."""
    torch.set_num_threads(1)
    a, b = torch.rand(SIZE, SIZE), torch.rand(SIZE, SIZE)
    end, fastest = time.perf_counter() + SECONDS, np.inf
    while time.perf_counter() < end:
        start = time.perf_counter()
        a @ b
        fastest = min(fastest, time.perf_counter() - start)
    return 2 * SIZE**3 / fastest


def arithmetic(sweep: Sweep) -> float:
    """Operations of training: the hidden units, the outputs, the error of the hidden units, and two gradients."""
    return np.nan if sweep.solver == "exact" else 10.0 * sweep.models * sweep.steps * sweep.batch * sweep.n * sweep.m


def jobs(results: Path) -> pd.DataFrame:
    """One row per job: its rule, its name, the seconds it took and those that its cores worked."""
    rows = []
    for path in sorted((results / "benchmarks").rglob("*.tsv")):
        rule, *name = path.relative_to(results / "benchmarks").with_suffix("").parts
        took = pd.read_csv(path, sep="\t", na_values="-").iloc[0]
        rows.append({"rule": rule, "job": "/".join(name), "seconds": took["s"], "core seconds": took["cpu_time"]})
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Where the time of a run went.")
    parser.add_argument("results", type=Path, nargs="?", default=Path("results/paper"))
    results = parser.parse_args().results
    config = Config.parse(yaml.safe_load(Path("config.yaml").read_text()) | {"scale": results.name})
    done = jobs(results)
    rate = peak()
    train = done["rule"] == "train"
    batches = training_batches(config)
    limits = {job: sum(arithmetic(config.sweeps[e]) for e in names) / rate for job, names in batches.items()}
    done["limit"] = done["job"].where(train).map(limits)
    table = done.groupby("rule").agg(
        jobs=("job", "size"),
        **{k: (k, lambda part: part.sum(min_count=1)) for k in ("seconds", "core seconds", "limit")},
    )
    table.insert(2, "share", table["seconds"] / table["seconds"].sum())
    table["ratio"] = table["core seconds"] / table["limit"]
    print(f"One core multiplies large matrices at {rate / 1e9:.0f} GFLOP/s.\n")
    print(table.sort_values("seconds", ascending=False).round(2).to_string())
    largest = done[train].nlargest(12, "core seconds").drop(columns="rule").set_index("job")
    print(f"\n{largest.assign(ratio=largest['core seconds'] / largest['limit']).round(2).to_string()}")


if __name__ == "__main__":
    main()
