"""Where the time of a run went: by rule, along the critical path, and how far training is from the machine's limit.

    python benchmarks/dag.py                                # results/paper, after `snakemake --cores all`
    python benchmarks/dag.py results/quick
    python benchmarks/dag.py --before ../old/results/paper  # beside an earlier run on the same machine

Times are those that Snakemake took of every job; it samples the core seconds, and misses the end of a job. When jobs
ran is read from the times of these files, so a copy of the results says nothing of the schedule. The limit of training
is its arithmetic, five products of n by m for every sample, at the rate of a large matrix product on one core; sweeps
that go through active features alone take less than that.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from limits import matrix_rate

from superposition.core.experiment.sweep import Sweep
from superposition.pipeline.configuration.config import Config
from superposition.pipeline.record.history import trace_jobs


def arithmetic(sweep: Sweep) -> float:
    """Return the operations of training: hidden units, outputs, the error of the hidden units, and two gradients."""
    return np.nan if sweep.solver == "exact" else 10.0 * sweep.models * sweep.steps * sweep.batch * sweep.n * sweep.m


def jobs(results: Path) -> pd.DataFrame:
    """Return a row for each job: its rule and name, when it began and ended, and the seconds that its cores worked."""
    rows = []
    for path in sorted((results / "benchmarks").rglob("*.tsv")):
        rule, *name = path.relative_to(results / "benchmarks").with_suffix("").parts
        took, end = pd.read_csv(path, sep="\t", na_values="-").iloc[0], path.stat().st_mtime
        times = {"seconds": took["s"], "core seconds": took["cpu_time"], "begin": end - took["s"], "end": end}
        rows.append({"rule": rule, "job": "/".join(name), **times})
    return pd.DataFrame(rows)


def by_rule(done: pd.DataFrame) -> pd.DataFrame:
    """Return the jobs, seconds and core seconds of each rule, and of all."""
    table = done.groupby("rule").agg(jobs=("job", "size"), **{k: (k, "sum") for k in ("seconds", "core seconds")})
    table = table.sort_values("core seconds", ascending=False)
    return pd.concat([table, table.sum().to_frame("all").T])


def critical_path(done: pd.DataFrame, results: Path) -> list[tuple[str, float]]:
    """Return the chain of jobs that need each other and take longest, with the seconds of each."""
    seconds = {f"{rule}/{job}" if job else rule: s for rule, job, s in done[["rule", "job", "seconds"]].to_numpy()}
    longest: dict[str, tuple[float, list[tuple[str, float]]]] = {}  # to the end of the job that makes a file
    chains = []
    for job in trace_jobs(results, [str(results / "report.html")]):
        before = max((longest[file] for file in job.input if file in longest), default=(0.0, []), key=lambda c: c[0])
        took = seconds.get(job.name, 0.0)
        chains.append((before[0] + took, [*before[1], (job.name, took)]))
        longest |= dict.fromkeys(job.output, chains[-1])
    return max(chains, key=lambda chain: chain[0])[1]


def main() -> None:
    parser = argparse.ArgumentParser(description="Where the time of a run went.")
    parser.add_argument("results", type=Path, nargs="?", default=Path("results/paper"))
    parser.add_argument("--before", type=Path, help="the results of an earlier run")
    arguments = parser.parse_args()
    config = Config.parse(yaml.safe_load(Path("config.yaml").read_text()) | {"scale": arguments.results.name})
    torch.set_num_threads(1)
    done, rate = jobs(arguments.results), matrix_rate()
    wall, cores = done["end"].max() - done["begin"].min(), len(os.sched_getaffinity(0))
    print(
        f"{wall:.0f} s from the first job to the last, on {cores} cores; {done['core seconds'].sum():.0f} core seconds."
    )
    table = by_rule(done)
    if arguments.before:
        table = table.join(by_rule(jobs(arguments.before)).add_suffix(" before"), how="outer")
        table["ratio"] = table["core seconds before"] / table["core seconds"]
    print(f"\n{table.round(1).to_string()}")
    path = critical_path(done, arguments.results)
    print(f"\nThe critical path takes {sum(s for _, s in path):.0f} s: " + ", ".join(f"{n} {s:.0f}" for n, s in path))
    train = done[done["rule"] == "train"].set_index("job")
    operations = {name: arithmetic(sweep) for name, sweep in config.sweeps.items()}
    train = train[["seconds", "core seconds"]].assign(limit=pd.Series(operations) / rate)
    train["ratio"] = train["core seconds"] / train["limit"]
    known = train.dropna()
    print(
        f"\nOne core multiplies large matrices at {rate / 1e9:.0f} GFLOP/s. Training takes "
        f"{known['core seconds'].sum() / known['limit'].sum():.2f} times as long as its arithmetic would at that rate:"
    )
    print(train.nlargest(12, "core seconds").round(2).to_string())


if __name__ == "__main__":
    main()
