"""The lists of packages agree: what is needed, pinned, installed by conda, and installed here."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINES = [line for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines() if line[:1] not in "#"]
PINNED = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in LINES) if version}
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]

# Packages of every environment, and those that PyTorch brings for a GPU.
ELSEWHERE = ("pip", "setuptools", "nvidia-", "cuda-", "triton")


def test_everything_is_pinned() -> None:
    """Every package has one version, and the last line is this project."""
    assert LINES[-1] == "-e ."
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in LINES[:-1])
    assert len(PINNED) == len(LINES) - 1


def test_pins_satisfy_the_project() -> None:
    extras = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    for needed in map(Requirement, [*PROJECT["dependencies"], *extras]):
        if needed.name == PROJECT["name"]:  # An extra may include another one.
            continue
        assert needed.specifier.contains(PINNED[canonicalize_name(needed.name)]), needed


def test_dependencies_of_pinned_packages_are_pinned() -> None:
    """Otherwise pip would choose their versions on the day of the installation."""
    for name in PINNED:
        for line in importlib.metadata.requires(name) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                version = PINNED.get(canonicalize_name(needed.name))
                assert version or needed.name.startswith(ELSEWHERE), f"{name} needs {line}"
                assert not version or needed.specifier.contains(version, prereleases=True), f"{name} needs {line}"


def test_conda_installs_the_same() -> None:
    """Conda provides Python and the compiler, and pip the pinned list."""
    (pip,) = (entry["pip"] for entry in CONDA if isinstance(entry, dict))
    assert pip == ["-r requirements.txt"]
    others = [entry.partition("=") for entry in CONDA if isinstance(entry, str)]
    assert [name for name, *_ in others] == ["python", "pip", "cxx-compiler"]
    (python,) = (version for name, _, version in others if name == "python")
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)


def test_the_environment_of_the_rules_is_the_same() -> None:
    """``snakemake --software-deployment-method conda`` creates it, and installs the pinned list afterwards."""
    envs = ROOT / "workflow/envs"
    packages = yaml.safe_load((envs / "superposition.yaml").read_text(encoding="utf-8"))["dependencies"]
    assert packages == [entry for entry in CONDA if isinstance(entry, str)]
    script = (envs / "superposition.post-deploy.sh").read_text(encoding="utf-8")
    assert script.rstrip().endswith("pip install -r requirements.txt")


def test_the_container_is_the_same() -> None:
    """The container has the Python of conda's environment and the pinned list, and makes everything."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    said = {line.split()[0]: line for line in lines if line[:1] not in ("", "#")}
    python = next(entry.partition("=")[2] for entry in CONDA if str(entry).startswith("python="))
    assert said["FROM"].startswith(f"FROM python:{python}-slim")
    assert said["RUN"].endswith("pip install --no-cache-dir -r requirements.txt")
    assert said["CMD"] == 'CMD ["snakemake", "--cores", "all"]'
    for kept in ("results", ".venv", ".snakemake"):  # They would add gigabytes to the image.
        assert kept in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_the_tests_run_with_what_is_pinned() -> None:
    for name, version in PINNED.items():
        assert importlib.metadata.version(name).partition("+")[0] == version, name
