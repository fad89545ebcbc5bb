"""The CPU engine: ``fused.cpp``, compiled for one architecture and this machine when it is first used.

Anything it computes, ``autograd`` computes too, from the same random numbers; the tests hold one against the other.
"""

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from jaxtyping import Float32
from torch import Tensor

from superposition.core.errors import SuperpositionError
from superposition.training.engine import BETA1, BETA2, EPSILON, EVALUATION_KEY, Block, TrainingConfig

SOURCE = Path(__file__).with_suffix(".cpp")
# Vector types say what is wide, so no flag that changes the meaning of arithmetic is needed.
NATIVE = "-mcpu=native" if platform.machine() in ("arm64", "aarch64") else "-march=native"
FLAGS = [
    # As fast as -O3, and compiled in three quarters of the time: the source says what to unroll and to vectorise. Where
    # GCC schedules before it allocates registers, as on Arm by default, the blocks of sums do not fit into them.
    *("-O2", "-fno-schedule-insns", "-fopenmp-simd"),
    *(NATIVE, "-std=c++17", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC", "-w"),
]


class _Data(ctypes.Structure):
    """``struct Data`` of fused.cpp."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("gate_density", "any_from", "low", "high", "inverse_width")),
        *((name, ctypes.c_void_p) for name in ("gate", "own_value", "importance")),
        ("shift", ctypes.c_void_p),
        ("empty", ctypes.c_float),
        ("l1", ctypes.c_float),
    ]


# The arguments of ``train`` and ``evaluate`` of fused.cpp.
_POINTER, _INTEGER, _WORD, _REAL = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_float
_TRAIN: dict[str, Any] = {
    "count": _INTEGER,
    **dict.fromkeys(("data", "empty", "attack", "l1", "parameters", "mean", "square", "gradients"), _POINTER),
    **dict.fromkeys(("start", "stop", "batch"), _INTEGER),
    **dict.fromkeys(("seed", "restart"), _WORD),
    "rate": _POINTER,
    **dict.fromkeys(("weight_decay", "beta1", "beta2", "epsilon"), _REAL),
}
_EVALUATE: dict[str, Any] = {
    "count": _INTEGER,
    **dict.fromkeys(("data", "attack", "l1", "parameters"), _POINTER),
    **dict.fromkeys(("samples", "coactive"), _INTEGER),
    **dict.fromkeys(("seed", "restart"), _WORD),
    **dict.fromkeys(("total", "total_square"), _POINTER),
}


def _tile(n: int) -> int:
    """Samples per tile: what a tile holds (uniforms, x and dz of every feature) stays in the nearest cache."""
    return 512 if n <= 2 else 256 if n <= 10 else 128


def _few(n: int) -> int:
    """Where fewer than one in so many values of a tile are not 0, it is faster to go through these alone; measured."""
    return 3 if n >= 64 else 0


def compiler() -> list[str]:
    """The C++ compiler as a command: ``$CXX``, else the first of c++, g++, clang++.

    Raises SuperpositionError where there is none.
    """
    if named := os.environ.get("CXX"):
        return shlex.split(named)
    for name in ("c++", "g++", "clang++"):
        if found := shutil.which(name):
            return [found]
    raise SuperpositionError("no C++ compiler found (looked for c++, g++, clang++; CXX names another): needed on a CPU")


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        detail = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise SuperpositionError(f"the C++ compiler failed ({shlex.join(command[:1])}): {detail[0]}") from None


@functools.cache
def _machine(*command: str) -> str:
    """What the compiler says about itself and the processor that it compiles for."""
    return _run([*command, "-dM", "-E", "-x", "c++", os.devnull])


@functools.cache
def _folder_of_this_process() -> tempfile.TemporaryDirectory[str]:
    """Goes when Python ends."""
    return tempfile.TemporaryDirectory()


_building = threading.Lock()  # functools.cache alone would let two threads build the same


def library(constants: tuple[tuple[str, int], ...]) -> ctypes.CDLL:
    """The compiled loop for the given constants of fused.cpp, loaded once."""
    with _building:
        return _load(constants)


@functools.cache
def _load(constants: tuple[tuple[str, int], ...]) -> ctypes.CDLL:
    """From the cache on disk, or built now.

    The cache (``$SUPERPOSITION_CACHE``, else the user's cache directory) is keyed by the source, the flags, and what
    the compiler says about itself and this processor, so it can be shared between unlike machines.
    """
    command = [*compiler(), *FLAGS]
    machine, named = _machine(*command), [f"-D{name}={value}" for name, value in constants]
    key = hashlib.sha256("\0".join([SOURCE.read_text(), *command[1:], *named, machine]).encode()).hexdigest()[:24]
    cache = Path(os.environ.get("SUPERPOSITION_CACHE") or platformdirs.user_cache_dir("superposition"))
    built = cache / f"{key}.so"
    if not built.exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            part = tempfile.TemporaryDirectory(dir=cache)
        except OSError:  # no home, or one that cannot be written
            built = Path(_folder_of_this_process().name, built.name)
            part = tempfile.TemporaryDirectory(dir=built.parent)
        # Whole or not there, also when several jobs or threads build it at once.
        with part as folder:
            _run([*command, *named, str(SOURCE), "-o", f"{folder}/{built.name}"])
            Path(folder, built.name).replace(built)
    loaded = ctypes.CDLL(str(built))
    loaded.train.argtypes = list(_TRAIN.values())
    loaded.evaluate.argtypes = list(_EVALUATE.values())
    return loaded


def constants(block: Block) -> tuple[tuple[str, int], ...]:
    """Return the constants that fused.cpp is compiled with for a block, as pairs of name and value."""
    model, gates = block.model, block.gates
    return (
        ("FEATURES", model.n),
        ("HIDDEN", model.m),
        ("UNTIED", int(model.absolute)),
        ("RELU_HIDDEN", int(model.relu_hidden)),
        ("RELU_OUTPUT", int(model.relu_output)),
        ("HIDDEN_BIAS", int(model.hidden_bias)),
        ("SETS", int(gates.has_sets)),
        ("SIGNED", int(gates.signed)),
        ("ATTACKED", int(block.attack is not None)),
        ("PENALISED", int(block.l1 is not None)),
        ("TILE", _tile(model.n)),
        ("FEW", _few(model.n)),
    )


class Fused:
    """See :class:`~superposition.training.engine.Engine`. The trained instances must share one key (seed, restart)."""

    def __init__(self, block: Block, recipe: TrainingConfig, parameters: Float32[Tensor, "instance size"]) -> None:
        model, gates = block.model, block.gates
        self.block, self.recipe = block, recipe
        self.parameters = parameters.clone().contiguous()
        self.seed, self.restart = (int(word) for word in block.key[0])
        state = (len(block), model.size)
        self._mean, self._square, self._gradients = (np.zeros(state, dtype=np.float32) for _ in range(3))
        names = ("gate_density", "any_from", "low", "high", "inverse_width", "gate", "own_value")
        self._arrays = [*(getattr(gates, k).contiguous() for k in names), block.importance.contiguous()]
        self._empty = gates.empty.contiguous()
        self._data = _Data(*(a.data_ptr() for a in self._arrays))
        self._attack, self._l1 = (None if part is None else part.contiguous() for part in (block.attack, block.l1))
        self._library = library(constants(block))

    def advance(self, start: int, stop: int) -> None:
        rates = self.recipe.rates(start, stop)
        arguments = self.arguments() | {
            "mean": self._mean.ctypes.data,
            "square": self._square.ctypes.data,
            "gradients": self._gradients.ctypes.data,
            "start": start,
            "stop": stop,
            "batch": self.recipe.batch,
            "seed": self.seed,
            "restart": self.restart,
            "rate": rates.ctypes.data,
            "weight_decay": self.recipe.weight_decay,
            "beta1": BETA1,
            "beta2": BETA2,
            "epsilon": EPSILON,
        }
        self._library.train(*(arguments[name] for name in _TRAIN))

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that the functions of fused.cpp share: the number of instances, and addresses."""
        return {
            "count": len(self.block),
            "data": ctypes.addressof(self._data),
            "empty": self._empty.data_ptr(),
            "attack": None if self._attack is None else self._attack.data_ptr(),
            "l1": None if self._l1 is None else self._l1.data_ptr(),
            "parameters": self.parameters.data_ptr(),
        }

    def losses(self, samples: int, coactive: bool = False) -> tuple[np.ndarray, np.ndarray]:
        total, square = np.zeros(len(self.block)), np.zeros(len(self.block))
        seed, restart = EVALUATION_KEY
        arguments = self.arguments() | {
            "samples": samples,
            "coactive": coactive,
            "seed": seed,
            "restart": restart,
            "total": total.ctypes.data,
            "total_square": square.ctypes.data,
        }
        self._library.evaluate(*(arguments[name] for name in _EVALUATE))
        mean = total / samples
        return mean, np.sqrt(np.maximum(square / samples - mean**2, 0) / samples)
