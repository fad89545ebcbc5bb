"""The CPU engine: ``fused.cpp``, compiled for an architecture and this machine on first use.

``autograd`` computes the same from the same random numbers, and the tests compare the two.
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
from superposition.training.engine import BETA1, BETA2, EPSILON, Block, TrainingConfig, moments

# The constants that the source is compiled with, by name.
Constants = tuple[tuple[str, int | float], ...]
SOURCE = Path(__file__).with_suffix(".cpp")
# The source uses explicit vector types, so no flag that changes the meaning of arithmetic is needed.
NATIVE = "-mcpu=native" if platform.machine() in ("arm64", "aarch64") else "-march=native"
FLAGS = [
    # The source says what to unroll and to vectorise, so -O2 yields code as fast as -O3 and takes three quarters of the
    # time to compile. If GCC schedules before it allocates registers, as on Arm by default, the blocks of sums spill.
    *("-O2", "-fno-schedule-insns", "-fopenmp-simd"),
    *(NATIVE, "-std=c++17", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC", "-w"),
]


# The slopes below 0 of the output activations that the loop knows; above 0 they are 1.
NEGATIVE_SLOPES: dict[str, int | float] = {"relu": 0, "linear": 1, "leaky_relu": 0.01, "abs": -1}


# The tensors of ``Gates`` that the loop reads, besides the probability of the all-zero sample.
GATES = ("gate_density", "any_from", "low", "high", "inverse_width", "gate", "own_value")


class Data(ctypes.Structure):
    """The addresses of arrays, as in ``struct Data`` of fused.cpp."""

    _fields_ = [(k, ctypes.c_void_p) for k in (*GATES, "importance", "all_zero", "attack", "l1", "shift")]


# The types of the arguments of ``train`` and ``evaluate`` in fused.cpp.
_ADDRESS, _INTEGER, _WORD, _REAL = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_float
_TRAIN: list[Any] = [_INTEGER, *[_ADDRESS] * 5, *[_INTEGER] * 3, *[_WORD] * 2, _ADDRESS, *[_REAL] * 4]
_EVALUATE: list[Any] = [_INTEGER, *[_ADDRESS] * 2, *[_INTEGER] * 2, *[_WORD] * 2, *[_ADDRESS] * 2]


def compiler() -> list[str]:
    """Return the command of the C++ compiler: ``$CXX``, else the first of c++, g++ and clang++ that is installed.

    Raises:
        SuperpositionError: There is none.
    """
    if command := os.environ.get("CXX"):
        return shlex.split(command)
    for name in ("c++", "g++", "clang++"):
        if found := shutil.which(name):
            return [found]
    raise SuperpositionError("no C++ compiler found (c++, g++ or clang++, or another that CXX names): needed on a CPU")


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        detail = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise SuperpositionError(f"the C++ compiler failed ({shlex.join(command[:1])}): {detail[0]}") from None


@functools.cache
def _predefined_macros(*command: str) -> str:
    """Return the compiler's predefined macros, which identify it and the processor that it compiles for."""
    return _run([*command, "-dM", "-E", "-x", "c++", os.devnull])


@functools.cache
def _folder_of_this_process() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that is removed when Python exits."""
    return tempfile.TemporaryDirectory()


# Without the lock, two threads could miss in functools.cache at once and both compile.
_load_lock = threading.Lock()


def library(constants: Constants) -> ctypes.CDLL:
    """Return fused.cpp, compiled with the given constants and loaded once per process."""
    with _load_lock:
        return _load(constants)


@functools.cache
def _load(constants: Constants) -> ctypes.CDLL:
    """Load fused.cpp from the cache on disk, after compiling it if need be.

    The cache is in ``$SUPERPOSITION_CACHE``, or else in the user's cache directory. Its keys include the source, the
    flags and the predefined macros of the compiler, so that machines of different kinds can share it.
    """
    command = [*compiler(), *FLAGS]
    macros, defines = _predefined_macros(*command), [f"-D{name}={value}" for name, value in constants]
    key = hashlib.sha256("\0".join([SOURCE.read_text(), *command[1:], *defines, macros]).encode()).hexdigest()[:24]
    cache = Path(os.environ.get("SUPERPOSITION_CACHE") or platformdirs.user_cache_dir("superposition"))
    built = cache / f"{key}.so"
    if not built.exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            part = tempfile.TemporaryDirectory(dir=cache)
        except OSError:  # There is no home directory, or it is not writable.
            built = Path(_folder_of_this_process().name, built.name)
            part = tempfile.TemporaryDirectory(dir=built.parent)
        # Moving the finished file into place is atomic, even if several jobs compile it at once.
        with part as folder:
            _run([*command, *defines, str(SOURCE), "-o", f"{folder}/{built.name}"])
            Path(folder, built.name).replace(built)
    loaded = ctypes.CDLL(str(built))
    loaded.train.argtypes, loaded.evaluate.argtypes = _TRAIN, _EVALUATE
    return loaded


def constants(block: Block) -> Constants:
    """Return the constants that fused.cpp is compiled with for a block, as pairs of name and value.

    The uniforms of a tile and the x and dz of all features, 12 bytes per feature and sample, fit into an L1 cache of
    32 KiB in models of up to 20 features, and into one of 48 KiB in models of up to 32. From which sizes on tiles are
    handled sparsely, and how sparse they have to be, was measured.
    """
    model, gates = block.model, block.gates
    return (
        ("FEATURES", model.n),
        ("HIDDEN", model.m),
        ("ABSOLUTE", int(model.absolute)),
        ("UNTIED", int(model.output_matrix == "W_out")),
        ("RELU_HIDDEN", int(model.hidden_function == "relu")),
        ("NEGATIVE_SLOPE", NEGATIVE_SLOPES[model.output_function]),
        ("HIDDEN_BIAS", int(model.hidden_bias)),
        ("SETS", int(gates.has_sets)),
        ("SIGNED", int(gates.signed)),
        ("MINIMUM", gates.values.minimum),
        ("ATTACKED", int(block.attack is not None)),
        ("PENALISED", int(block.l1 is not None)),
        ("TILE", 512 if model.n <= 2 else 256 if model.n <= 10 else 128),
        ("SPARSE_RATIO", 3 if model.n >= 64 else 0),
    )


class Fused:
    """The engine for CPUs, see :class:`~superposition.training.engine.Engine`.

    To be trained, all instances must share one key (seed, restart).
    """

    def __init__(self, block: Block, config: TrainingConfig, parameters: Float32[Tensor, "instance size"]) -> None:
        model, gates = block.model, block.gates
        self.block, self.config = block, config
        self.parameters = parameters.clone().contiguous()
        state = (len(block), model.size)
        self._mean, self._square, self._gradients = (np.zeros(state, dtype=np.float32) for _ in range(3))
        arrays = {name: getattr(gates, name) for name in GATES} | {"importance": block.importance}
        arrays |= {"all_zero": gates.all_zero_probability, "attack": block.attack, "l1": block.l1}
        self._arrays = {name: array.contiguous() for name, array in arrays.items() if array is not None}
        self.data = Data(**{name: array.data_ptr() for name, array in self._arrays.items()})
        self._library = library(constants(block))

    def advance(self, start: int, stop: int) -> None:
        rates = self.config.rates(start, stop)
        self._library.train(
            len(self.block),
            ctypes.addressof(self.data),
            self.parameters.data_ptr(),
            *(array.ctypes.data for array in (self._mean, self._square, self._gradients)),
            *(start, stop, self.config.batch),
            *self.block.key[0].tolist(),
            rates.ctypes.data,
            *(self.config.weight_decay, BETA1, BETA2, EPSILON),
        )

    def losses(self, samples: int, coactive: bool = False) -> tuple[np.ndarray, np.ndarray]:
        total, square = np.zeros(len(self.block)), np.zeros(len(self.block))
        self._library.evaluate(
            len(self.block),
            ctypes.addressof(self.data),
            self.parameters.data_ptr(),
            *(samples, coactive),
            *self.block.evaluation_key,
            *(total.ctypes.data, square.ctypes.data),
        )
        return moments(total, square, samples)
