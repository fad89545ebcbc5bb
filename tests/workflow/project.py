"""Copy the project with a configuration that runs in seconds, and run Snakemake in the copy."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import yaml
from tests.workflow import forked

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config.yaml", "src", "workflow", "profiles", "report", "examples")
OUT = Path("results/quick")
TINY = {"steps": 40, "batch": 64, "restarts": 2, "evaluation": 4000}
# Seconds after which tests give up on what hangs. Nothing that works takes a tenth of that, on however busy a machine.
PATIENCE = 1800


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wait_for(what: Callable[[], bool], name: str) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        if time.monotonic() > end:
            raise TimeoutError(f"{name}: not within {PATIENCE} s")
        time.sleep(0.1)


@contextmanager
def started(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command in a folder and in its own process group, with its output in the file ``said``.

    Whatever of the command is left when the test has ended is killed.
    """
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Project:
    """A copy of the checkout, in which a test runs Snakemake."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for part in PARTS:
            if (ROOT / part).is_dir():
                # Bytecode is left out, because another process may be writing it.
                shutil.copytree(ROOT / part, path / part, ignore=shutil.ignore_patterns("*.pyc.*"))
            else:
                shutil.copy2(ROOT / part, path / part)

    def config(self) -> dict[str, Any]:
        return yaml.safe_load((self.path / "config.yaml").read_text())

    def configure(self, config: dict[str, Any]) -> None:
        (self.path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def section(self, name: str) -> Path:
        return self.path / f"src/superposition/paper/{name}/section.yaml"

    def sections(self) -> dict[str, dict[str, Any]]:
        """Return the contents of every ``section.yaml`` but that of custom sweeps."""
        files = {path.parent.name: path for path in self.section("*").parents[1].glob("*/section.yaml")}
        return {name: yaml.safe_load(file.read_text()) for name, file in files.items() if name != "custom"}

    def figures(self) -> dict[str, dict[str, Any]]:
        return {name: entry for section in self.sections().values() for name, entry in section["figures"].items()}

    def keep_figure(self, section: str, figure: str, **changes: Any) -> None:
        """Keep one figure of a section, with some keys changed."""
        file = self.section(section)
        about = yaml.safe_load(file.read_text(encoding="utf-8"))
        figures = {figure: about["figures"][figure] | changes}
        file.write_text(yaml.safe_dump(about | {"figures": figures}, sort_keys=False), encoding="utf-8")

    def shrink(self, *sections: str) -> None:
        """Keep some sections and their experiments, on the grids of scale quick, with small models, hardly trained."""
        for name in self.sections().keys() - sections:
            shutil.rmtree(self.section(name).parent)
        config, used = self.config(), {name for entry in self.figures().values() for name in entry["experiments"]}
        entries = {
            k: {**entry, **entry["quick"], **TINY, "n": min(entry["n"], 20), "m": min(entry["m"], 5), "quick": {}}
            for k, entry in config["experiments"].items()
            if k in used
        }
        claims = ["introduction.dense", "introduction.antipodal", "introduction.pentagon"]
        # However small they are, sweeps can be split.
        self.configure(config | {"scale": "quick", "one_core_work": 0, "sensitivity": claims, "experiments": entries})

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--cores", "2", *words]

    def snakemake(self, *words: str, before: Sequence[str] = (), **variables: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake to its end, with words before the command and further variables of the environment.

        Without words before it, Snakemake and its jobs are forks of a process that has imported what they need.
        """
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "SNAKEMAKE_PROFILE")} | variables
        if not before:
            return forked.snakemake(["--cores", "2", *words], self.path, env)
        return subprocess.run(
            [*before, *self.command(*words)],
            cwd=self.path,
            env=env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    def make(self, *words: str, **options: Any) -> str:
        """Run Snakemake to its end, which is a success; return what it said."""
        run = self.snakemake(*words, **options)
        said = run.stdout + run.stderr
        assert run.returncode == 0, said
        return said

    def start(self, *words: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Start Snakemake, so that it can be killed."""
        return started(self.command(*words), self.path, os.environ)

    def jobs(self, *words: str) -> set[str]:
        """Return the jobs that Snakemake would run, as ``rule`` or ``rule:wildcard``."""
        blocks = re.split(r"\n(?=(?:local)?rule )", self.make("-n", *words))
        found = Counter()
        for block in blocks:
            if name := re.match(r"(?:local)?rule (\w+):", block):
                wildcard = re.search(r"\n    wildcards: \w+=(\w+)", block)
                found[name[1] + (f":{wildcard[1]}" if wildcard else "")] += 1
        return set(found) - {"all"}
