"""How near the CPU engine's loop (``fused.cpp``) comes to what the machine can do, and what compilers make of it.

    python benchmarks/kernel.py         # times: one table, under two minutes
    python benchmarks/kernel.py --code  # the code for other processors, by cross compilation: fails where it is poor

**Times.** For every architecture in ``config.yaml``, one thread trains a block of one of its sweeps, and then takes the
parts of a step one by one. ``whole`` is the training, and the other columns are the parts: all of them as shares of the
floating-point rate of a large matrix product on the same core. Where few features are active, training goes through
these alone: the shares of its sparse parts count the dense products that they replace, and may exceed 1. What
multiplies little is given as the bytes that it reads and writes, over those of a large copy in the same time:
``draw``, ``features``, ``find active``, ``bias gradient`` and ``AdamW``. All of it is CPU time, the least of several
repetitions.

**Code.** The loop is compiled for x86-64-v3 (AVX2), x86-64-v4 (AVX-512) and aarch64 (NEON; by the compiler in
``CXX_AARCH64``, by default aarch64-linux-gnu-g++). A hot loop is an innermost one with at least eight fused
multiply-adds. None may have an operand on the stack; but those of the smallest models may read constants there, where
there are only 16 registers. And the loops of the largest architecture must have as many multiply-adds as their register
blocks have sums: another number would mean that the compiler has undone the blocks.
"""

import argparse
import ctypes
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from limits import REPETITIONS, copy_rate, fastest, matrix_rate

from superposition.core.experiment.sweep import Sweep
from superposition.pipeline.configuration.config import Config
from superposition.pipeline.record.machine import machine
from superposition.training import fused
from superposition.training.blocks import Plan
from superposition.training.engine import TrainingConfig
from superposition.training.fused import Fused

# The parts of a step, in the order of kernel.cpp; the last four are taken where few features are active.
DENSE = (
    *("draw", "features", "hidden", "output", "hidden slope", "weight gradient", "bias gradient", "gradient"),
    "AdamW",
)
SPARSE = ("find active", "sparse hidden", "sparse hidden slope", "sparse weight gradient")


@dataclass(frozen=True)
class Shape:
    """An architecture, and an experiment that trains it."""

    experiment: str
    sweep: Sweep

    @property
    def name(self) -> str:
        sweep = self.sweep
        extras = {"hidden bias": sweep.hidden_bias, "sets": sweep.has_sets}
        extras |= {"attacked": sweep.attacked, "penalised": sweep.penalised}
        return ", ".join([sweep.model, *(extra for extra, there in extras.items() if there)])

    def engine(self) -> tuple[Fused, float]:
        """Return the engine of one block, from the middle of the sweep's densities, and its mean density."""
        plan = Plan(self.sweep)
        blocks = plan.blocks(torch.device("cpu"), threads=2)
        instances = blocks[len(blocks) // 2]
        block = plan.block(instances)
        density = float(np.exp(np.log(plan.densities[instances // self.sweep.restarts]).mean()))
        return Fused(block, TrainingConfig.of(self.sweep), plan.initial(block, instances)), density


def shapes(config: Config) -> list[Shape]:
    """Return every architecture that the configuration trains, with the first experiment that has it."""
    trained = [Shape(name, sweep) for name, sweep in config.sweeps.items() if sweep.solver != "exact"]
    return list({(shape.name, shape.sweep.n, shape.sweep.m): shape for shape in reversed(trained)}.values())[::-1]


def part_seconds(engine: Fused, folder: str) -> dict[str, float]:
    """Return the seconds that each part of a step takes for one tile of the instance in the middle of the block."""
    command = [*fused.compiler(), *fused.FLAGS, f'-DFUSED="{fused.SOURCE}"']
    command += [f"-D{name}={value}" for name, value in fused.constants(engine.block)]
    subprocess.run([*command, str(Path(__file__).with_suffix(".cpp")), "-o", f"{folder}/parts.so"], check=True)
    loop = ctypes.CDLL(f"{folder}/parts.so")
    gradients = np.zeros(engine.block.model.size, dtype=np.float32)
    arrays = [ctypes.c_void_p(address) for address in (engine.parameters.data_ptr(), gradients.ctypes.data)]
    rest = ctypes.byref(engine.data), *arrays
    names = DENSE + (SPARSE if dict(fused.constants(engine.block))["SPARSE_RATIO"] else ())

    def repeat(part: int, times: int) -> int:
        return loop.repeat(part, times, len(engine.block) // 2, *rest, engine.config.batch)

    # A part that training does not take for this instance is left out.
    taken = [part for part in range(len(names)) if repeat(part, 0)]
    return {names[part]: fastest(lambda times, part=part: repeat(part, times)) for part in taken}


def row(shape: Shape, matrix: float, copy: float) -> dict[str, float | str]:
    """Time one architecture, as shares of the two rates of the machine."""
    engine, density = shape.engine()
    model, count, batch = engine.block.model, len(engine.block), engine.config.batch
    values = count * batch * model.n
    steps = max(2, round(2e8 / (values * (1 + model.m / 16))))
    engine.advance(0, 1)  # compiles, and warms the caches
    taken = []
    for start in range(1, 1 + REPETITIONS * steps, steps):
        began = time.process_time()
        engine.advance(start, start + steps)
        taken.append((time.process_time() - began) / steps)
    step = min(taken)
    with tempfile.TemporaryDirectory() as folder:
        parts = part_seconds(engine, folder)
    tile = dict(fused.constants(engine.block))["TILE"]
    product = 2 * model.n * model.m * tile  # operations of one tile's product of the weights with a vector
    # Of the dense products that a part computes, or does without.
    products = {"hidden": 1, "output": 1, "hidden slope": 1, "weight gradient": 2, "gradient": 5}
    # Back-propagation through few outputs gives the gradient of the output weights, too.
    products |= {"sparse hidden": 1, "sparse hidden slope": 2, "sparse weight gradient": 1}
    # Numbers of four bytes that are read or written.
    rows = engine.block.gates.rows
    numbers = {"draw": rows * tile, "features": (rows + model.n) * tile, "find active": model.n * tile}
    numbers |= {"bias gradient": model.n * tile, "AdamW": 7 * model.size}
    shares = {name: count * product / parts[name] / matrix for name, count in products.items() if name in parts}
    shares |= {name: 4 * count / parts[name] / copy for name, count in numbers.items() if name in parts}
    about = {"experiment": shape.experiment, "model": shape.name, "n": model.n, "m": model.m, "density": density}
    whole = 5 * product * (count * batch / tile) / step / matrix
    return about | {"ns per value": 1e9 * step / values, "whole": whole} | shares


# The architectures whose code is checked, as constants of fused.cpp. The first has whole register blocks alone.
LARGEST = {"FEATURES": 400, "HIDDEN": 40, "TILE": 128, "SPARSE_RATIO": 3}
CHECKED = {
    "n = 400, m = 40": LARGEST,
    "n = 100, m = 40, |x|": LARGEST | {"FEATURES": 100, "ABSOLUTE": 1, "UNTIED": 1, "RELU_HIDDEN": 1, "SIGNED": 1},
    "n = 10, m = 5": {"FEATURES": 10, "HIDDEN": 5, "RELU_HIDDEN": 1, "TILE": 256},
    "n = 2, m = 1": {"FEATURES": 2, "HIDDEN": 1, "TILE": 512},
}
CONSTANTS = (
    *("ABSOLUTE", "UNTIED", "NEGATIVE_SLOPE", "MINIMUM", "RELU_HIDDEN", "HIDDEN_BIAS", "SETS", "SIGNED"),
    *("ATTACKED", "PENALISED", "SPARSE_RATIO"),
)


@dataclass(frozen=True)
class Target:
    """A processor to compile for."""

    flags: tuple[str, ...]
    # The columns of vectors in a register block of fused.cpp; its rows are five.
    columns: int
    multiply_add: str
    # A vector instruction with an operand on the stack, and one that stores there.
    stack: str
    stack_store: str

    def compiler(self) -> list[str]:
        """Return the compiler as a command."""
        if "-march=armv8-a" in self.flags:
            return [os.environ.get("CXX_AARCH64", "aarch64-linux-gnu-g++")]
        return fused.compiler()


X86 = (r"\tvfn?madd\w+ps\t", r"\tv\w+\t(?=.*[xyz]mm).*\(%r[sb]p", r"\tvmov\w+\t%[xyz]mm.*\(%r[sb]p")
TARGETS = {
    "x86-64-v3": Target(("-march=x86-64-v3",), 2, *X86),
    "x86-64-v4": Target(("-march=x86-64-v4",), 4, *X86),
    "aarch64": Target(("-march=armv8-a",), 4, r"\tfmla\t", r"\t(ld|st)[rp]\tq.*\[sp", r"\tst[rp]\tq.*\[sp"),
}
# From so many multiply-adds on a loop is a hot one.
HOT = 8


@dataclass(frozen=True)
class Loop:
    """An innermost loop of compiled code."""

    multiply_adds: int
    stack_operands: int
    stack_stores: int


def loops(assembly: str, target: Target) -> list[Loop]:
    """Return the innermost loops: from a label to a jump back to it, with no such pair in between."""
    lines = assembly.splitlines()
    labels: dict[str, int] = {}
    found: list[Loop] = []
    last_start = -1
    for at, line in enumerate(lines):
        if label := re.match(r"(\.L\w+):", line):
            labels[label[1]] = at
        elif jump := re.match(r"\t(?:j\w+|b\.?\w*|cbn?z|tbn?z)\t(?:.*, )?(\.L\w+)$", line):
            start = labels.get(jump[1], at)
            if start < at and start > last_start:  # a jump back, and no loop within
                body = lines[start:at]
                kinds = target.multiply_add, target.stack, target.stack_store
                found.append(Loop(*(sum(bool(re.search(kind, text)) for text in body) for kind in kinds)))
                last_start = start
    return found


def assembly(constants: dict[str, int], target: Target, source: Path = fused.SOURCE) -> str:
    """Compile the loop for a processor, to assembly language."""
    native = [flag for flag in fused.FLAGS if flag not in (fused.NATIVE, "-shared")]
    defined = [f"-D{name}={value}" for name, value in (dict.fromkeys(CONSTANTS, 0) | constants).items()]
    command = [*target.compiler(), *native, *target.flags, *defined, "-S", "-o", "-", str(source)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def check_code(names: Sequence[str], source: Path = fused.SOURCE) -> tuple[pd.DataFrame, list[str]]:
    """Return what the hot loops of each processor and architecture are made of, and a line for all that is wrong."""
    rows, wrong = [], []
    for name in names:
        target = TARGETS[name]
        block = 5 * target.columns
        for shape, constants in CHECKED.items():
            hot = [loop for loop in loops(assembly(constants, target, source), target) if loop.multiply_adds >= HOT]
            counts = Counter(loop.multiply_adds for loop in hot)
            small = constants["FEATURES"] < 4
            stack = sum(loop.stack_stores if small else loop.stack_operands for loop in hot)
            made_of = ", ".join(f"{loops} × {count}" for count, loops in sorted(counts.items()))
            rows.append(
                {"processor": name, "architecture": shape, "loops × multiply-adds": made_of, "on the stack": stack}
            )
            if stack or not hot:
                wrong.append(f"{name}, {shape}: {len(hot)} hot loops, with {stack} operands on the stack")
            # The products for the hidden units, outputs and slopes; and the weights' gradient, of two products.
            if constants is LARGEST and (set(counts) != {block, 2 * block} or counts[block] < 4):
                wrong.append(
                    f"{name}, {shape}: the hot loops are {made_of}, not at least 4 × {block} and 1 × {2 * block}"
                )
    return pd.DataFrame(rows), wrong


def main() -> None:
    parser = argparse.ArgumentParser(description="How near the CPU engine comes to what the machine can do.")
    parser.add_argument("--code", nargs="*", choices=TARGETS, help="check the code for these processors (default: all)")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/kernel"), help="without suffix")
    arguments = parser.parse_args()
    if arguments.code is not None:
        table, wrong = check_code(arguments.code or list(TARGETS))
        print(table.to_string(index=False))
        sys.exit("\n".join(wrong) or None)
    torch.set_num_threads(1)
    matrix, copy = matrix_rate(), copy_rate()
    config = Config.parse(yaml.safe_load(Path("config.yaml").read_text()))
    table = pd.DataFrame([row(shape, matrix, copy) for shape in shapes(config)])
    head = f"{machine()}. One core: large matrix product {matrix / 1e9:.0f} GFLOP/s, large copy {copy / 1e9:.1f} GB/s."
    text = f"# The training loop\n\n{head}\n\n{table.to_markdown(index=False, floatfmt='.3g')}\n"
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.with_suffix(".md").write_text(text)
    table.to_csv(arguments.output.with_suffix(".csv"), index=False)
    print(text)


if __name__ == "__main__":
    main()
