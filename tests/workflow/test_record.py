"""Test what documents a run: its record, an RO-Crate, and Snakemake's own report."""

import base64
import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import torch
import yaml
from rocrate.vocabs import RO_CRATE
from rocrate_validator.models import ValidationSettings
from rocrate_validator.services import validate
from safetensors import safe_open
from tests.workflow.project import OUT, Project, digest
from tests.workflow.test_runs import error_lines
from workflow.sources import sources

from superposition.core.experiment.sweep import Sweep
from superposition.pipeline import stages

pytestmark = pytest.mark.integration

Entity = dict[str, Any]


def entities(project: Project) -> dict[str, Entity]:
    record = json.loads((project.path / OUT / "ro-crate-metadata.json").read_text())
    found = {entity["@id"]: entity for entity in record["@graph"]}
    assert len(found) == len(record["@graph"]), "an id twice"
    return found


def ids(value: Any) -> list[str]:
    """Return the ids to which a property refers, one or several."""
    return [reference["@id"] for reference in (value if isinstance(value, list) else [value])]


def jobs(graph: dict[str, Entity]) -> list[Entity]:
    return [e for e in graph.values() if e["@type"] == "CreateAction" and e["@id"] != "#run"]


def maker(graph: dict[str, Entity], name: str) -> Entity:
    (job,) = [job for job in jobs(graph) if name in ids(job["result"])]
    return job


@contextmanager
def replaced(path: Path, content: bytes) -> Iterator[None]:
    """Replace the content of a file for a while, without a trace in its times."""
    before, times = path.read_bytes(), path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


# The record.


def test_every_file_is_in_the_record(made: Project) -> None:
    """The record has every file with its checksum and size; otherwise a file could not be told from a forged one."""
    out = made.path / OUT
    there = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and not p.name.startswith(".")}
    own = {"ro-crate-metadata.json", "logs/crate.log", "benchmarks/crate.tsv"}
    graph = entities(made)
    files = {name: e for name, e in graph.items() if "File" in e["@type"]}
    assert set(files) == there - own
    for name, file in files.items():
        assert file["sha256"] == digest(out / name), name
        assert int(file["contentSize"]) == (out / name).stat().st_size, name
    assert set(files) <= set(ids(graph["./"]["hasPart"]))


def test_links_lead_to_entities(made: Project) -> None:
    """Every link of the record leads to an entity in it."""
    graph = entities(made)
    for name, entity in graph.items():
        for key, value in entity.items():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict) and (name, key) != ("ro-crate-metadata.json", "conformsTo"):
                    assert item["@id"] in graph or item["@id"].startswith("https://"), (name, key)


@pytest.mark.parametrize(
    ("figure", "experiments"),
    [("introduction", {"introduction"}), ("theory", {"basic_small", "basic_small_linear", "uniform_400_30"})],
)
def test_a_figure_leads_to_its_weights_their_sweeps_and_the_code(
    made: Project, figure: str, experiments: set[str]
) -> None:
    """Links lead from a figure to its weights, their sweeps and the code, as another program would follow them."""
    graph, out = entities(made), made.path / OUT
    draw = maker(graph, f"figures/{figure}.png")
    assert draw == maker(graph, f"figures/{figure}.svg")
    assert ids(draw["instrument"]) == ["code/workflow/scripts/draw.py"]
    tables = [name for name in ids(draw["object"]) if name.startswith("tables/")]
    assert tables == [f"tables/{figure}/"]
    assert set(ids(graph[tables[0]]["hasPart"])) == {
        p.relative_to(out).as_posix() for p in (out / tables[0]).glob("*.csv")
    }
    weights = [name for name in ids(maker(graph, tables[0])["object"]) if name.startswith("weights/")]
    assert {Path(name).stem for name in weights} == experiments
    for name in weights:
        train, experiment = maker(graph, name), Path(name).stem
        entry = graph[f"#experiments/{experiment}"]
        assert entry["@id"] in ids(train["object"])
        assert entry["name"] == f"config.experiments.{experiment}"
        with safe_open(out / name, framework="pt") as file:
            trained = json.loads(file.metadata()["superposition"])["sweep"]
        assert Sweep.parse(json.loads(entry["value"])) == Sweep.parse(trained)
        assert {f"code/{path}" for path in sources("workflow/scripts/train.py")} <= set(ids(train["object"]))
    for job, stage in ((draw, "draw"), (maker(graph, tables[0]), "measure")):
        used = {f"code/{path}" for path in sources(f"superposition.paper.{figure}.{stage}")}
        assert used <= set(ids(job["object"]))
        others = {f"code/src/superposition/paper/{figure}/{other}.py" for other in stages.STAGES if other != stage}
        assert others.isdisjoint(ids(job["object"]))
    assert graph[f"figures/{figure}.svg"]["name"] == made.figures()[figure]["title"]


def test_the_code_is_there_as_it_was(made: Project, tmp_path: Path, fresh: Project) -> None:
    """With the code and the versions of the packages, the run can be repeated without the repository."""
    graph, out = entities(made), made.path / OUT
    code = [name for name in graph if name.startswith("code/")]
    assert {"code/Snakefile", "code/config.yaml", "code/workflow/rules/train.smk"} <= set(code)
    for name in code:
        assert digest(out / name) == digest(made.path / name.removeprefix("code/")), name
    everything = fresh.jobs()
    shutil.copytree(out / "code", tmp_path / "copy")
    fresh.path = tmp_path / "copy"
    assert fresh.jobs() == everything
    workflow = graph[graph["./"]["mainEntity"]["@id"]]
    assert workflow["@id"] == "code/Snakefile"
    assert workflow["version"] == "not in a git checkout"
    versions = {graph[p]["name"]: graph[p]["softwareVersion"] for p in ids(workflow["softwareRequirements"])}
    assert versions["torch"] == torch.__version__
    assert versions["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert {entity["value"] for entity in graph.values() if entity.get("name") == "config.scale"} == {"quick"}


def test_the_jobs_are_those_that_snakemake_ran(made: Project) -> None:
    """Rules, inputs and times in the record are those in Snakemake's own metadata."""
    graph, notes = entities(made), {}
    for path in (made.path / ".snakemake/metadata").iterdir():
        notes[base64.urlsafe_b64decode(path.name).decode()] = json.loads(path.read_text())
    made_by = {name: job for job in jobs(graph) for name in ids(job["result"])}
    inside = {name.removeprefix(f"{OUT}/"): note for name, note in notes.items() if note["rule"] != "crate"}
    assert {name.rstrip("/") for name in made_by} == set(inside)
    assert {job["@id"] for job in made_by.values()} == {job["@id"] for job in jobs(graph)}
    for name, job in made_by.items():
        note = inside[name.rstrip("/")]
        assert job["name"].split("/")[0] == note["rule"]
        objects = {o.rstrip("/") for o in ids(job["object"])}
        results = {i.removeprefix(f"{OUT}/") for i in note["input"] if i.startswith(f"{OUT}/")}
        assert {o for o in objects if not o.startswith(("code/", "#"))} == results, name
        assert {f"code/{i}" for i in note["input"] if not i.startswith(f"{OUT}/")} <= objects, name
        start, end = (datetime.fromisoformat(job[key]).timestamp() for key in ("startTime", "endTime"))
        assert note["starttime"] - 0.5 < start < note["endtime"], name
        # A busy machine may take a while from a job's first output to its end.
        assert start < end < note["endtime"] + 600, name
    run = graph["#run"]
    assert run["startTime"] == min(job["startTime"] for job in jobs(graph))
    assert run["endTime"] == max(job["endTime"] for job in jobs(graph))


def test_the_same_results_have_the_same_record(made: Project) -> None:
    """Records of the same results are equal, whatever the time or the order of sets, so that they can be compared."""
    path = made.path / OUT / "ro-crate-metadata.json"
    before = digest(path)
    made.make("--forcerun", "crate")
    assert digest(path) == before
    assert made.jobs() == set()


BIOSCHEMAS = "https://bioschemas.org"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
TERMS = RO_CRATE["@context"] | {
    "ComputationalWorkflow": f"{BIOSCHEMAS}/ComputationalWorkflow",
    "FormalParameter": f"{BIOSCHEMAS}/FormalParameter",
    "input": f"{BIOSCHEMAS}/ComputationalWorkflow#input",
    "output": f"{BIOSCHEMAS}/ComputationalWorkflow#output",
}  # The terms of RO-Crate 1.1; the package has those of the newest version.


def issues(crate: Path) -> list[str]:
    """Return the issues that the community's validator finds in a crate."""
    settings = ValidationSettings(rocrate_uri=crate, profile_identifier="provenance-run-crate-0.5", no_cache=True)
    return [str(issue.message) for issue in validate(settings).get_issues()]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the one address that the validator needs without a network."""

    def send(self: Any, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        if request.url != CONTEXT:
            raise requests.ConnectionError(request.url)
        response = requests.Response()
        response.status_code, response.url = 200, CONTEXT
        response.headers["Content-Type"] = "application/ld+json"
        response.raw = io.BytesIO(json.dumps({"@context": TERMS}).encode())
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)


@pytest.mark.usefixtures("offline")
def test_the_record_is_a_provenance_run_crate(made: Project, tmp_path: Path) -> None:
    """The record follows the profile by which other programs read it, and the validator finds what is missing."""
    crate = shutil.copytree(made.path / OUT, tmp_path / "crate")  # The validator cannot read paths with spaces.
    assert issues(crate) == []
    (crate / "weights/introduction.safetensors").unlink()
    record = json.loads((crate / "ro-crate-metadata.json").read_text())
    for entity in record["@graph"]:
        if entity["@id"] == "#jobs/draw/theory":
            del entity["instrument"]
    (crate / "ro-crate-metadata.json").write_text(json.dumps(record))
    found = " ".join(issues(crate))
    assert "weights/introduction.safetensors" in found
    assert "The Action MUST have an instrument" in found


# From a file back to its origins.


def test_a_file_is_traced_from_the_shell(made: Project) -> None:
    """One command prints the sweeps that a figure shows, without reading JSON."""
    command = [sys.executable, "-m", "superposition.pipeline.record.provenance", str(OUT / "figures/theory.svg")]
    env = os.environ | {"PYTHONPATH": str(made.path / "src")}
    run = subprocess.run(command, cwd=made.path, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    names = ["basic_small_linear", "basic_small", "uniform_400_30"]
    assert [line for line in run.stdout.splitlines() if "config.experiments." in line] == [
        f"      config.experiments.{name}: {entities(made)[f'#experiments/{name}']['value']}" for name in names
    ]
    assert re.findall(r"    weights/(\w+)\.safetensors ([0-9a-f]{64})", run.stdout) == [
        (name, digest(made.path / OUT / f"weights/{name}.safetensors")) for name in names
    ]
    assert "introduction" not in run.stdout
    (made.path / OUT / "new.svg").touch()
    run = subprocess.run([*command[:-1], str(OUT / "new.svg")], cwd=made.path, env=env, capture_output=True, text=True)
    (made.path / OUT / "new.svg").unlink()
    assert run.returncode == 1
    assert re.fullmatch(r"error: [^\n]*new.svg: not in [^\n]*ro-crate-metadata.json\n", run.stderr)


# Results that cannot be recorded.


def test_damaged_weights_are_not_recorded(made: Project) -> None:
    """Damaged weights are refused, since a checksum would vouch for them."""
    path = made.path / OUT / "weights/introduction.safetensors"
    with replaced(path, path.read_bytes()[:-1] + b"x"):
        (line,) = {*error_lines(made.snakemake("--forcerun", "crate"))}
    assert line.startswith(f"error: {OUT}/weights/introduction.safetensors: damaged, its checksum does not match; ")
    made.make()


# Snakemake's own report.


def test_snakemake_reports_every_figure_with_caption_and_category(made: Project, tmp_path: Path) -> None:
    """Captions are those of section.yaml, without text taken for markup or links made of titles with a colon."""
    sections, page = made.sections(), tmp_path / "report.html"
    with ExitStack() as stack:
        for name, section in sections.items():
            section["figures"][name]["shows"] += r" |x|, *W_1*, `b`, D_ = \frac, <b> & ``c``."
            section["title"] = f"Geometry: {name}"
            stack.enter_context(replaced(made.section(name), yaml.safe_dump(section).encode()))
        made.make("--report", str(page))
    text = page.read_text()
    results, categories = (
        json.JSONDecoder().raw_decode(text, re.search(rf"(?m)^\s*var {name} = (?={{\")", text).end())[0]
        for name in ("results", "categories")
    )
    place = {path: category for category, parts in categories.items() for paths in parts.values() for path in paths}
    for name, section in sections.items():
        figure, path = section["figures"][name], f"{OUT}/figures/{name}.svg"
        assert place.pop(path) == f"Geometry: {name}"
        words = html.unescape(re.sub(r"<[^>]+>", " ", results[path]["caption"]))
        assert " ".join(words.split()) == " ".join(f"{figure['title']} The paper: {figure['shows']}".split())
        assert results[path]["labels"]["figure"] == name
        assert base64.b64decode(results[path]["data_uri"].split("base64,")[1]) == (made.path / path).read_bytes()
    assert place.pop(f"{OUT}/figures/interference.svg") == "Geometry: introduction"
    assert place == {f"{OUT}/claims.csv": "Claims", f"{OUT}/report.html": "Report"}
    assert "system-message" not in json.dumps([results, re.findall(r"var workflow_desc = .*", text)])
