"""Run Snakemake's command in a fork of a process that has imported it already.

Imports take most of the time of a dry run. The package itself is not among them: a fork imports it from the checkout
in which it runs, as ``python -m snakemake`` does.
"""

import multiprocessing
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
# What Snakemake and the Snakefile import from other packages.
_CONTEXT.set_forkserver_preload(
    [
        *("snakemake.cli", "snakemake.report", "snakemake_logger_plugin_rich", "nbformat", "docutils.core"),
        *("filelock", "lazy_loader", "pydantic", "ruamel.yaml", "yaml"),
    ]
)


def snakemake(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Snakemake with these arguments in a folder."""
    with tempfile.TemporaryDirectory() as place:
        said = [os.path.join(place, name) for name in ("stdout", "stderr")]
        process = _CONTEXT.Process(target=_run, args=(list(words), folder, dict(environment), said))
        process.start()
        process.join()
        assert process.exitcode is not None
        return subprocess.CompletedProcess(
            ["snakemake", *words], process.exitcode, *(Path(file).read_text(encoding="utf-8") for file in said)
        )


def _run(words: list[str], folder: Path, environment: dict[str, str], said: list[str]) -> None:
    """Run in this process what ``python -m snakemake`` would run."""
    for number, file in enumerate([os.devnull, *said]):
        opened = os.open(file, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    from snakemake.cli import main

    main(words)
