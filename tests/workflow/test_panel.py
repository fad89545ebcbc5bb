"""Test the panel at a terminal, and that other messages of jobs are printed while it is shown."""

import ctypes
import io
import os
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console
from workflow.panel import _read


def test_every_training_has_a_line_and_other_words_are_printed() -> None:
    """Two trainings that take turns show the last bar of each; a cleared bar prints nothing."""
    reading, writing = os.pipe()
    bar = "\r{}: 3 models × 10 steps: {:3}%|####      | 00:{:02} left, 5.0step/s"
    for said in (bar.format("one", 10, 9), bar.format("two", 20, 8), "\r" + 70 * " " + "\r", "a warning\r\n"):
        os.write(writing, said.encode())
    os.write(writing, bar.format("one", 50, 5).encode())
    os.close(writing)
    events = SimpleNamespace(bars={}, console=Console(file=io.StringIO()))
    _read(reading, events)
    left = {"one": " 50% 00:05 left", "two": " 20% 00:08 left"}
    assert events.bars == {name: f"{name}: 3 models × 10 steps: {how_far}" for name, how_far in left.items()}
    assert events.console.file.getvalue() == "a warning\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process die with its parent")
def test_snakemake_outlives_the_shell_that_started_it() -> None:
    """Only jobs die with their parent: what Snakemake itself imports, as this file does, asks for no such signal."""
    asked = ctypes.c_int(-1)
    ctypes.CDLL(None).prctl(2, ctypes.byref(asked))  # PR_GET_PDEATHSIG
    assert asked.value == 0
