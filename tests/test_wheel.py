"""The package, installed from a wheel instead of this checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from tests.readme import ROOT, block

pytestmark = pytest.mark.integration


def run(*words: str | Path, **variables: str) -> None:
    done = subprocess.run(words, env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_installed_wheel_trains_and_draws(tmp_path: Path) -> None:
    """The wheel has the source of the training loop and the style of figures; it uses the packages installed here."""
    source = tmp_path / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, source)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, source)
    (wheel,) = tmp_path.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python, figure = tmp_path / "venv/bin/python", tmp_path / "figure.png"
    run(*pip, "--python", python, "install", "--no-deps", wheel)
    *statements, last = block("python").strip().splitlines()
    program = [
        "import superposition",
        f"assert superposition.__file__.startswith({str(tmp_path)!r})",
        *statements,
        f"{last.partition('  #')[0]}.savefig({str(figure)!r})",
    ]
    # On PYTHONPATH, the link to this checkout in the folder of packages has no effect.
    packages = {"PYTHONPATH": sysconfig.get_path("purelib"), "SUPERPOSITION_CACHE": str(tmp_path / "cache")}
    run(python, "-c", "\n".join(program), **packages)
    assert figure.read_bytes().startswith(b"\x89PNG")
