"""Run Snakemake and its jobs in forks of a server, which has imported what they need.

Imports take most of the time of a dry run, and of jobs that hardly train. The package itself is not among them: a fork
imports it from the checkout in which it runs, as ``python -m snakemake`` and a job do.
"""

import atexit
import functools
import importlib
import json
import os
import runpy
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

# What Snakemake, the Snakefile and the jobs import from other packages.
PRELOADED = (
    *("snakemake.cli", "snakemake.report", "snakemake.script", "snakemake_logger_plugin_rich", "docutils.core"),
    *("filelock", "lazy_loader", "pydantic", "ruamel.yaml", "yaml"),
    *("jaxtyping", "pandas", "safetensors.numpy", "scipy.optimize", "scipy.stats", "torch"),
    *("matplotlib.animation", "matplotlib.pyplot", "mpl_toolkits.mplot3d", "seaborn"),
    *("bs4", "IPython.display", "latex2mathml.converter", "nbconvert", "nbformat", "papermill", "rocrate.rocrate"),
)


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """A server that forks for every request, and ends with the process that started it."""

    parent = os.getppid()

    def service_actions(self) -> None:
        super().service_actions()
        if os.getppid() != self.parent:
            sys.exit()


class _Handler(socketserver.StreamRequestHandler):
    """What a fork does: it says its number, runs a command, and says the exit code."""

    def handle(self) -> None:
        command = json.loads(self.rfile.readline())
        self.wfile.write(b"%d\n" % os.getpid())
        self.wfile.write(b"%d\n" % _run(**command, address=self.server.server_address))


@functools.cache
def _server() -> str:
    """Start the server, which lasts as long as this process; return its address."""
    place = tempfile.TemporaryDirectory()
    atexit.register(place.cleanup)
    address = str(Path(place.name) / "server")
    # Every job sets how many threads PyTorch may use.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", __name__, address]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], env=environment, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    return address


@contextmanager
def _asked(address: str, command: dict[str, Any]) -> Iterator[tuple[int, TextIO]]:
    """Ask the server to run a command; yield the number of the process, and what its exit code can be read from."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
        with client.makefile("rw") as answer:
            answer.write(json.dumps(command) + "\n")
            answer.flush()
            yield int(answer.readline()), answer


def snakemake(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Snakemake with these arguments in a folder."""
    with tempfile.TemporaryDirectory() as place:
        said = [os.path.join(place, name) for name in ("stdout", "stderr")]
        command = {"words": ["snakemake", *words], "folder": str(folder), "environment": {**environment}, "said": said}
        with _asked(_server(), command) as (_, answer):
            code = int(answer.readline())
        return subprocess.CompletedProcess(
            command["words"], code, *(Path(file).read_text(encoding="utf-8") for file in said)
        )


def _run(words: list[str], folder: str, environment: dict[str, str], said: list[str], address: str) -> int:
    """Run in this process what ``python -m snakemake`` or a job would run; return the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate([os.devnull, *said]):
        opened = os.open(file, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = words
    try:
        if words[0] == "snakemake":
            _run_snakemake(words[1:], said, address)
        else:
            sys.path[:0] = environment["PYTHONPATH"].split(os.pathsep)
            import torch

            torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _run_snakemake(words: list[str], said: list[str], address: str) -> None:
    """Run Snakemake in this process, and its jobs in other forks of the server."""
    from snakemake.benchmark import benchmarked
    from snakemake.cli import main
    from snakemake.script import PythonScript

    def execute_script(self: Any, fname: str, edit: bool = False) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.threads)}
        command = {"words": [fname], "folder": os.getcwd(), "environment": environment, "said": said}
        with (
            _asked(address, command) as (pid, answer),
            benchmarked(pid if self.bench_record else False, self.bench_record),
        ):
            code = int(answer.readline())
        if code:
            raise subprocess.CalledProcessError(code, [sys.executable, fname])

    PythonScript.execute_script = execute_script
    main(words)


if __name__ == "__main__":
    # A Ctrl-C in the tests is for them and for the forks. The server ends after the tests.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with _Server(sys.argv[1], _Handler) as server:
        print("ready", flush=True)
        for module in PRELOADED:
            importlib.import_module(module)
        server.serve_forever()
