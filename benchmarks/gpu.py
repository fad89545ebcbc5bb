"""Everything that only a GPU can show, in at most ten minutes on one of the H100's class.

    python benchmarks/gpu.py                          # trains the same sweeps on the CPU's cores meanwhile, to compare
    python benchmarks/gpu.py --against results/paper  # compares with the weights of an earlier run on a CPU
    python benchmarks/gpu.py --device cpu --scale quick --steps 20  # tries the script: the CPU in the GPU's place

Claims about figures that need the best known models are judged only with `--against`, by those of the earlier run, on
both sides.

Writes `results/benchmarks/gpu.md`, `gpu.csv` and the weights. Tables are written as soon as they are made, so a run
that is cut short loses only what it has not begun; what fails is reported, and the rest goes on.

All sweeps are compiled first, side by side, in processes that keep what they compiled. Then each sweep is trained with
the GPU to itself. The limit of a sweep's training is the longer of two times: its arithmetic, five products of n by m
for every sample, at the measured rate of a large float32 matrix product; and its batches, written once and read once,
at the measured bandwidth of a large copy.
"""

import argparse
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from peers import AUTHORS, Models, phase_diagram
from throughput import SHAPES, table

from superposition import Sweep, SweepResult, train
from superposition.pipeline import stages
from superposition.pipeline.configuration.config import Config
from superposition.pipeline.judging.claims import ERROR
from superposition.training import evaluation
from superposition.training.blocks import Plan
from superposition.training.devices import ENGINES, available_cores, resolve_device
from superposition.training.engine import Engine, TrainingConfig

ROOT = Path(__file__).parents[1]
TESTS = "tests/training/test_captured.py"
COPY, MATRIX = 2**30, 8192  # bytes that are copied, and rows of the matrices that are multiplied, to find the limits
ROUNDING = 1e-5  # relative: differences of losses below it are float32's
RECIPE_STEPS = 50  # of the published recipe, timed; ours takes ten times as many
MANY_SIDE = {"paper": 316, "quick": 10}  # points along each axis of the large phase diagram, with ten restarts each


class Report:
    """The sections made so far, and when."""

    def __init__(self, output: Path) -> None:
        self.output, self.start = output, time.perf_counter()
        self.parts: dict[str, pd.DataFrame | str] = {}
        output.parent.mkdir(parents=True, exist_ok=True)

    def say(self, message: str) -> None:
        """Print a message, with the time since the start."""
        print(f"[{time.perf_counter() - self.start:6.1f} s] {message}", flush=True)

    def add(self, title: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """Make a section and write all there are; one that fails holds the error instead."""
        self.say(title)
        try:
            self.parts[title] = part = make()
        except Exception:
            self.parts[title], part = f"Failed:\n\n```\n{traceback.format_exc()}```", pd.DataFrame()
        self.say(f"{title}\n{part if len(part) else self.parts[title]}")
        self._write()
        return part

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the sections that did not fail."""
        return {title: part for title, part in self.parts.items() if isinstance(part, pd.DataFrame)}

    def _write(self) -> None:
        took = f"{time.perf_counter() - self.start:.0f} seconds, all sections together."
        text = [f"## {title}\n\n{p if isinstance(p, str) else table(p)}\n" for title, p in self.parts.items()]
        self.output.with_suffix(".md").write_text("\n".join(["# On a GPU\n", took + "\n", *text]))
        if frames := self.frames():
            pd.concat(frames, names=["section"]).droplevel(1).to_csv(self.output.with_suffix(".csv"))


class Workers:
    """Processes that each keep what they compiled: a name always has the same one."""

    def __init__(self, count: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pools = [ProcessPoolExecutor(1, spawn) for _ in range(count)]
        self.places: dict[str, int] = {}

    def submit(self, name: str, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Let the process of a name do some work."""
        place = self.places.setdefault(name, len(self.places) % len(self.pools))
        return self.pools[place].submit(work, *arguments)

    def close(self) -> None:
        for pool in self.pools:
            pool.shutdown(wait=False, cancel_futures=True)


# What runs in the workers


def wait_for(device: str) -> None:
    """Wait until a device has done its work."""
    if device == "cuda":
        torch.cuda.synchronize()


def first_engine(sweep: Sweep, device: str) -> tuple[Engine, int]:
    """Return the engine of the first block of a sweep, and the number of its blocks."""
    where, plan = torch.device(device), Plan(sweep)
    blocks = plan.blocks(where, threads=1)
    block = plan.block(blocks[0])
    start = plan.initial(block, blocks[0]).to(where)
    return ENGINES[device](block.to(where), TrainingConfig.of(sweep), start), len(blocks)


def prepare(sweep: Sweep, device: str) -> float:
    """Compile what training a sweep takes; return the seconds."""
    start = time.perf_counter()
    torch.set_num_threads(1)  # as in `train`: what is compiled under another number is compiled again
    torch.backends.cuda.matmul.allow_tf32 = False
    engine, _ = first_engine(sweep, device)
    engine.advance(0, 1)
    if not evaluation.is_exact(sweep):
        engine.losses(1, evaluation.has_closed_form(sweep))
    wait_for(device)
    return time.perf_counter() - start


def fit(sweep: Sweep, device: str, threads: int, path: Path | None = None) -> dict[str, float]:
    """Train a sweep, and keep its weights if there is a path."""
    start = time.perf_counter()
    trained = train(sweep, device, threads, progress=False)
    seconds = time.perf_counter() - start
    if path:
        trained.save(path)
    memory = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else 0.0
    return {"seconds": seconds, "GPU GB": memory, "GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}


def fit_all(sweeps: Mapping[str, Sweep], folder: Path, threads: int) -> dict[str, float]:
    """Train sweeps on the CPU, one after the other and behind all else; return the seconds of each."""
    os.nice(19)
    seconds = {}
    for name, sweep in sweeps.items():
        try:
            seconds[name] = fit(sweep, "cpu", threads, folder / f"{name}.safetensors")["seconds"]
        except Exception:
            traceback.print_exc()
    return seconds


def step_seconds(sweep: Sweep, device: str, steps: int) -> tuple[float, float]:
    """Return the seconds of a step of the published recipe and of one of ours, for all instances of a sweep."""
    published = Models(AUTHORS, sweep, device=device)
    engine, blocks = first_engine(sweep, device)
    published.advance(10)
    engine.advance(0, 10)
    theirs = seconds_of(lambda: published.advance(steps), device) / steps
    ours = seconds_of(lambda: engine.advance(10, 10 + 10 * steps), device) / (10 * steps)
    return theirs, ours * blocks


def measure(section: str, figure: str, *weights: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """Measure a figure from the weights of the trained models, and of the best known ones if it needs them."""
    torch.set_num_threads(1)
    models = [{name: SweepResult.load(path) for name, path in paths.items()} for paths in weights]
    return stages.find(section, "measure", figure)(*models)


# The sections


def seconds_of(work: Callable[[], object], device: str) -> float:
    """Measure the seconds of some work on a device."""
    wait_for(device)
    start = time.perf_counter()
    work()
    wait_for(device)
    return time.perf_counter() - start


def limits(device: str) -> tuple[float, float]:
    """Return the bytes per second of a large copy, read and written, and the operations of a large float32 product."""
    torch.backends.cuda.matmul.allow_tf32 = False
    shrunk = 1 if device == "cuda" else 8
    side = MATRIX // shrunk
    source, a = (torch.rand(shape, device=device) for shape in ((COPY // 4 // shrunk,), (2, side, side)))
    copy, product = torch.empty_like(source), torch.empty_like(a[0])
    works = (lambda: copy.copy_(source)), (lambda: torch.mm(a[0], a[1], out=product))
    copied, multiplied = (min(seconds_of(work, device) for _ in range(11)) for work in works)
    return 2 * 4 * source.numel() / copied, 2 * side**3 / multiplied


def machine(device: str, bandwidth: float, rate: float) -> pd.DataFrame:
    """Describe the machine."""
    rows = {"GPU": "none: the CPU in its place", "driver": ""}
    rows |= {"torch": torch.__version__, "CPU cores": str(available_cores()), "Python": platform.python_version()}
    if device == "cuda":
        ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]
        rows["GPU"] = torch.cuda.get_device_name()
        rows["driver"] = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
    rows |= {"copy, TB/s": f"{bandwidth / 1e12:.4g}", "float32, TFLOP/s": f"{rate / 1e12:.4g}"}
    return pd.DataFrame(rows.items(), columns=["what", "value"])


def start_tests(processes: int) -> subprocess.Popen[str]:
    """Start the tests of the GPU engine."""
    options = ["-q", "-o", "addopts=", "-p", "no:cacheprovider", *(["-n", str(processes)] if processes > 1 else [])]
    command = [sys.executable, "-m", "pytest", *options, *TESTS.split()]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def tests(running: subprocess.Popen[str]) -> pd.DataFrame:
    """Wait for the tests; return those that failed, and the summary."""
    out = running.communicate(timeout=300)[0]
    failed = [line for line in out.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return pd.DataFrame({"tests": [*failed, out.strip().splitlines()[-1]]})


def outcome(future: Future[Any]) -> tuple[Any, str]:
    """Return what a worker returned, or the first line of its error."""
    try:
        return future.result(), ""
    except Exception as error:
        return None, f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"


def compile_all(workers: Workers, sweeps: Mapping[str, Sweep], device: str) -> pd.DataFrame:
    """Compile what all sweeps take, side by side."""
    start = time.perf_counter()
    found = {name: workers.submit(name, prepare, sweep, device) for name, sweep in sweeps.items()}
    rows = [{"sweep": name, "seconds": (got := outcome(f))[0] or np.nan, "note": got[1]} for name, f in found.items()]
    whole = {"sweep": "all, side by side", "seconds": time.perf_counter() - start, "note": ""}
    return pd.DataFrame([*rows, whole])


def train_all(
    workers: Workers,
    sweeps: Mapping[str, Sweep],
    device: str,
    folder: Path,
    bandwidth: float,
    rate: float,
    report: Report,
) -> pd.DataFrame:
    """Train each sweep alone on the GPU."""
    rows = []
    for name, sweep in sweeps.items():
        path = folder / f"{name}.safetensors"
        got, error = outcome(workers.submit(name, fit, sweep, device, available_cores(), path))
        values = sweep.models * sweep.steps * sweep.batch * sweep.n
        limit = max(values * 10 * sweep.m / rate, values * 8 / bandwidth)
        seconds = got["seconds"] if got else np.nan
        report.say(f"{name}: {seconds:.2f} s {error}")
        about = {"sweep": name, "n, m": f"{sweep.n}, {sweep.m}", "models": sweep.models, "steps": sweep.steps}
        about |= {"batch": sweep.batch, "seconds": seconds, "µs per step": 1e6 * seconds / sweep.steps}
        speed = {"10⁹ values per s": values / seconds / 1e9, "limit, s": limit, "% of limit": 100 * limit / seconds}
        rows.append(about | speed | {"note": error})
    frame = pd.DataFrame(rows)
    sums = frame[["models", "seconds", "limit, s"]].sum()
    return pd.concat([frame, pd.DataFrame([{"sweep": "all", "n, m": "", **sums, "note": ""}])], ignore_index=True)


def against_recipe(workers: Workers, shapes: Mapping[str, Sweep], device: str, steps: int) -> pd.DataFrame:
    """Compare the nanoseconds per instance, sample and feature of a step with those of the published recipe."""
    rows = []
    for name, sweep in shapes.items():
        got, error = outcome(workers.submit(name, step_seconds, sweep, device, steps))
        recipe, ours = (1e9 * s / (sweep.models * sweep.batch * sweep.n) for s in got or (np.nan, np.nan))
        shape = {"n, m": f"{sweep.n}, {sweep.m}", "instances": sweep.models}
        rows.append({**shape, "recipe, ns": recipe, "ours, ns": ours, "ratio": recipe / ours, "note": error})
    return pd.DataFrame(rows)


def many(workers: Workers, name: str, sweep: Sweep, device: str) -> pd.DataFrame:
    """Train very many models."""
    got = workers.submit(name, fit, sweep, device, available_cores()).result()
    about = {"n, m": f"{sweep.n}, {sweep.m}", "models": sweep.models, "steps": sweep.steps}
    return pd.DataFrame([about | got | {"µs per model": 1e6 * got["seconds"] / sweep.models}])


def compare_losses(ours: Path, theirs: Path, names: list[str]) -> pd.DataFrame:
    """Compare the GPU's losses with the CPU's; differences of a point's mean over restarts also in standard errors."""
    rows = []
    for name in names:
        paths = [folder / f"{name}.safetensors" for folder in (ours, theirs)]
        if not all(path.exists() for path in paths):
            rows.append({"sweep": name, **dict.fromkeys(("mean", "best", "rms, errors"), np.nan), "note": "missing"})
            continue
        a, b = (SweepResult.load(path).loss.numpy() for path in paths)
        mean_a, mean_b = a.mean(axis=1), b.mean(axis=1)
        best_a, best_b = a.min(axis=1), b.min(axis=1)
        row = {"sweep": name, "points": len(a), "restarts": a.shape[1]}
        row |= {"mean": mean_a.mean() / mean_b.mean() - 1, "best": best_a.mean() / best_b.mean() - 1}
        row |= {"largest of a mean": np.abs(mean_a / mean_b - 1).max()}
        row |= {"largest of a best": np.abs(best_a / best_b - 1).max(), "rms, errors": np.nan, "note": ""}
        if a.shape[1] > 1:
            spread = np.sqrt((a.var(axis=1, ddof=1) + b.var(axis=1, ddof=1)) / a.shape[1])
            errors = (mean_a - mean_b) / np.maximum(spread, ROUNDING * mean_b)
            row |= {"largest, errors": np.abs(errors).max(), "rms, errors": np.sqrt((errors**2).mean())}
        rows.append(row)
    return pd.DataFrame(rows)


def judge(config: Config, folder: Path, solved: Path, best: Mapping[str, Path]) -> pd.DataFrame:
    """Judge every claim by the weights in a folder, or where it has none, by those that were solved exactly.

    A figure for which some of the trained or of the best known models are missing is left out, and the verdict of the
    claims about it is an error.
    """
    weights = {path.stem: path for place in (solved, folder) for path in place.glob("*.safetensors")}
    with ProcessPoolExecutor(available_cores(), multiprocessing.get_context("spawn")) as pool:
        made = {}
        for name, figure in config.figures.items():
            if weights.keys() >= {*figure.experiments} and best.keys() >= {*figure.best}:
                models = [{key: weights[key] for key in figure.experiments}]
                models += [{key: best[key] for key in figure.best}] if figure.best else []
                made[name] = pool.submit(measure, figure.section, name, *models)
        tables = {name: got for name, future in made.items() if (got := outcome(future)[0]) is not None}
    judged = [stages.find(section, "judge", "claims").judge(tables, config.scale)[0] for section in config.sections]
    return pd.concat(judged).set_index("claim")


def verdicts(config: Config, ours: Path, theirs: Path, best: Mapping[str, Path]) -> pd.DataFrame:
    """Compare the verdicts by the weights of both; what is solved exactly is the CPU's in both."""
    gpu, cpu = (judge(config, folder, theirs, best) for folder in (ours, theirs))
    both = pd.DataFrame({"GPU": gpu["verdict"], "CPU": cpu["verdict"], "expected": cpu["expected"]})
    for side, frame in (("GPU", gpu), ("CPU", cpu)):
        both[f"measured, {side}"] = frame["measured"].str.replace("|", "∣")
    return both.assign(note=np.where(both["GPU"] == both["CPU"], "", "differ")).reset_index()


def count_verdicts(judged: pd.DataFrame) -> pd.DataFrame:
    """Count the verdicts that are alike, and those that are on record, of claims without an error on either side."""
    failed = (judged[["GPU", "CPU"]] == ERROR).any(axis=1)
    judged = judged[~failed]
    alike = (judged["GPU"] == judged["CPU"]).sum()
    recorded = {f"on record, {side}": (judged[side] == judged["expected"]).sum() for side in ("GPU", "CPU")}
    return pd.DataFrame([{"claims": len(judged), "errors": failed.sum(), "alike": alike, **recorded}])


def sweep_table(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row for each sweep: what it is, what it took, and how its losses differ from the CPU's."""
    compiled, trained, on_cpu, losses = (
        parts[title].set_index("sweep")
        for title in ("Compilation", "Training", "The CPU's training", "Losses, relative to the CPU's")
    )
    rows = trained.drop(index="all")[["n, m", "models", "steps"]]
    rows["compiling, s"], rows["training, s"] = compiled["seconds"], trained["seconds"]
    rows["CPU, s"] = on_cpu["seconds"]
    rows[["10⁹ values per s", "% of limit"]] = trained[["10⁹ values per s", "% of limit"]]
    rows[["mean loss", "best loss", "errors"]] = losses[["mean", "best", "rms, errors"]]
    return rows.reset_index()


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Everything that only a GPU can show.")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--scale", choices=["paper", "quick"], default="paper")
    parser.add_argument("--config", type=Path, default=ROOT / "config.yaml")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/gpu"), help="without suffix")
    parser.add_argument("--against", type=Path, help="results of a CPU, such as results/paper; default: trains them")
    parser.add_argument("--steps", type=int, help="at most so many for each sweep, to try the script")
    arguments = parser.parse_args(words)
    device, cores, report = arguments.device, available_cores(), Report(arguments.output)
    resolve_device(device)

    config = Config.parse(yaml.safe_load(arguments.config.read_text()) | {"scale": arguments.scale})
    most = arguments.steps or max(sweep.steps for sweep in config.sweeps.values())
    sweeps = {
        name: sweep.model_copy(update={"steps": min(sweep.steps, most), "snapshots": min(sweep.snapshots, most)})
        for name, sweep in config.sweeps.items()
    }
    trained = {name: sweep for name, sweep in sweeps.items() if sweep.solver != "exact"}
    recipe_steps = min(RECIPE_STEPS, most)
    shapes = {
        f"n={s.n}, m={s.m}": s.many().model_copy(update={"steps": 10 * recipe_steps})
        for s in (SHAPES if arguments.scale == "paper" else SHAPES[:1])
    }
    large = phase_diagram(2, 1, MANY_SIDE[arguments.scale], restarts=10, steps=min(2000, most), batch=512)
    ours, theirs = (arguments.output.parent / "gpu-weights" / side for side in ("gpu", "cpu"))
    best: dict[str, Path] = {}
    if arguments.against:
        theirs = arguments.against / "weights"
        best = {path.stem: path for path in (arguments.against / "best").rglob("*.safetensors")}
    if left_out := [name for name, figure in config.figures.items() if not best.keys() >= {*figure.best}]:
        report.say(f"The best known models are missing, and so are verdicts of claims about {', '.join(left_out)}.")
    for folder in (ours, theirs):
        folder.mkdir(parents=True, exist_ok=True)

    bandwidth, rate = limits(device)
    report.add("The machine", lambda: machine(device, bandwidth, rate))
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # of each worker: there are as many as cores
    workers = Workers(cores)
    running = start_tests(max(1, cores // 4))
    everything = {**trained, **shapes, "many": large}
    report.add("Compilation", lambda: compile_all(workers, everything, device))
    report.add("Tests", lambda: tests(running))
    beside = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    if not arguments.against:
        other = beside.submit(fit_all, sweeps, theirs, max(1, cores - 2))
    report.add("Training", lambda: train_all(workers, trained, device, ours, bandwidth, rate, report))
    report.add("Against the published recipe", lambda: against_recipe(workers, shapes, device, recipe_steps))
    report.add("Many models", lambda: many(workers, "many", large, device))
    seconds = (lambda: dict.fromkeys(trained, np.nan)) if arguments.against else other.result
    report.add("The CPU's training", lambda: pd.DataFrame(seconds().items(), columns=["sweep", "seconds"]))
    report.add("Losses, relative to the CPU's", lambda: compare_losses(ours, theirs, list(trained)))
    report.add("All sweeps", lambda: sweep_table(report.frames()))
    judged = report.add("Verdicts", lambda: verdicts(config, ours, theirs, best))
    report.add("Verdicts, counted", lambda: count_verdicts(judged))
    beside.shutdown()
    workers.close()
    report.say("done")


if __name__ == "__main__":
    main()
