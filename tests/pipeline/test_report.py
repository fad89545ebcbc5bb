"""The report of a tiny results folder: all that is there is shown, as it is, in one page that needs nothing else."""

import base64
import copy
import hashlib
import html
import importlib.metadata
import io
import json
import os
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from PIL import Image
from tests.sections import parse as parse_with_sections
from tests.sections import split, write_sections

from superposition.core.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.pipeline import report
from superposition.pipeline.claims import COLUMNS
from superposition.pipeline.config import Config
from superposition.pipeline.report import Report

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = {
    "defaults": {"steps": 1234},
    "experiments": {
        "five": {
            "model": "relu_output",
            "n": 5,
            "m": 2,
            "density": [1, 0.125],
            "importance": {"decay": 0.75},
            "restarts": 3,
            "from_paper": ["model", "n", "m", "density"],
            "quick": {"steps": 77},
        },
        "wide": {"model": "linear", "n": 4, "m": 2, "density": {"from": 1, "to": 0.01, "points": 20}, "seeds": 4},
    },
    "sections": {
        "introduction": {"title": "Introduction", "anchor": "#motivation"},
        "basic": {"title": "Basics & more", "anchor": "#demonstrating"},
    },
    "figures": {
        "introduction": {"section": "introduction", "title": "Five", "shows": "W_i turns.", "experiments": ["five"]},
        "basic_small": {"section": "basic", "title": "Small", "shows": "WᵀW.", "experiments": ["wide", "five"]},
        "basic_large": {"section": "basic", "title": "Large", "shows": "The same.", "experiments": ["wide"]},
    },
}
CLAIMS = [
    ("introduction.dense", "introduction", "introduction", "Two features", "2", "= 2", "reproduced", "reproduced", ""),
    ("basic.linear_is_pca", "basic", "basic_small", "W_i is PCA", "0.01", "< 0.1", "corrected", "corrected", "Hardly."),
    ("basic.bias", "basic", "basic_small", "b_i is E[x_i]", "7.5", "> 8", "not reproduced", "reproduced", ""),
    ("basic.scale_free", "basic", "basic_large", "The same", "", "= 0", "needs scale paper", "corrected", "Later."),
]


GIF = b"GIF89a-of-five"


def results(folder: Path, config: dict[str, Any] = CONFIG, claims: list[tuple[str, ...]] = CLAIMS) -> Path:
    """What the workflow leaves: claims.csv, figures, weights (never trained) and benchmarks."""
    for name in ("figures", "weights"):
        folder.joinpath(name).mkdir(parents=True)
    pd.DataFrame(claims, columns=COLUMNS).to_csv(folder / "claims.csv", index=False)
    for name in config["figures"]:
        (folder / "figures" / f"{name}.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg'>{name}</svg>")
        Image.new("RGB", (900, 300), "teal").save(folder / "figures" / f"{name}.png")
        if config["figures"].get(name, {}).get("animated"):
            (folder / "figures" / f"{name}.gif").write_bytes(GIF)
    for name, entry in config["experiments"].items():
        own = {k: v for k, v in entry.items() if k not in ("from_paper", "quick")}
        sweep = Sweep.parse(own | (entry.get("quick", {}) if config.get("scale") == "quick" else {}))
        shape = (len(sweep.points()), sweep.restarts)
        parameters = {"W": torch.rand(*shape, sweep.m, sweep.n), "b": torch.rand(*shape, sweep.n)}
        loss = torch.rand(shape, dtype=torch.float64)
        steps = torch.tensor([], dtype=torch.int64)
        models = SweepResult(sweep, parameters, loss, 0 * loss, steps, device=f"Imaginary {name.title()}")
        models.save(folder / "weights" / f"{name}.safetensors")
    for job, seconds, memory in (
        ("train/five", 61.5, 321.75),
        ("train/wide/2-of-4", 1.5, 7),
        ("draw/introduction", 2.5, "-"),
        ("train/gone", 300, 1),  # of an experiment that there was
        ("notebook", 500, 1),
        ("report", 900, 1),
        ("crate", 700, 1),
    ):
        text = f"s\th:m:s\tmax_rss\n99.0\t0:01:39\t9\n{seconds}\t0:00:01\t{memory}\n"  # the last line counts
        path = folder / "benchmarks" / f"{job}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@dataclass
class Node:
    """An element of a page."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Node | str"] = field(default_factory=list)

    def __iter__(self) -> Iterator["Node"]:
        """This element and all inside it, in order."""
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child

    def all(self, tag: str) -> list["Node"]:
        return [node for node in self if node.tag == tag]

    def texts(self, tag: str) -> list[str]:
        return [node.text for node in self.all(tag)]

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)


class Page(HTMLParser):
    """Parses HTML in which every element that opens is closed, in order."""

    EMPTY = ("br", "wbr", "img", "meta", "link")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open = [Node("page")]
        self.feed(html)
        self.close()
        assert [node.tag for node in self.open] == ["page"], "left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), "an attribute twice"
        node = Node(tag, {k: v or "" for k, v in attrs})
        self.open[-1].children.append(node)
        if tag not in self.EMPTY:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.EMPTY
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> where another was open"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(html: str) -> Node:
    return Page(html).open[0]


def whole(page: Report) -> Node:
    """All parts in the order of the notebook."""
    opening = page.title() + page.summary() + page.corrections() + page.setting()
    return parse(opening + "".join(page.sections()) + page.certainty() + page.provenance())


@pytest.fixture(scope="module", autouse=True)
def sections_by_hand() -> Iterator[None]:
    """The sections are those of the configuration above."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, "parse", parse_with_sections)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def page(folder: Path) -> Node:
    return whole(Report(folder, CONFIG))


def records(table: Node) -> list[dict[str, str]]:
    """The rows, by the names of the columns."""
    return [dict(zip(table.texts("th"), row.texts("td"), strict=True)) for row in table.all("tr")[1:]]


def figures(page: Node) -> dict[str, Node]:
    """The part of the page about each figure, by its name."""
    return {node.all("h3")[0].texts("code")[0]: node for node in page.all("section")}


AROUND = ("Summary", "Where the paper needs a correction", "The setting", "How certain are the verdicts?", "Provenance")


def assert_shows(page: Node, folder: Path, config: dict[str, Any], claims: list[tuple[str, ...]]) -> None:
    """Every section, figure and claim, in the order of the configuration, each in its place."""
    headings = [h for h in page.texts("h2") if h not in AROUND]
    assert headings == [section["title"] for section in config["sections"].values()]
    order = [f for s in config["sections"] for f, figure in config["figures"].items() if figure["section"] == s]
    assert list(figures(page)) == order
    for name, part in figures(page).items():
        about = config["figures"][name]
        assert part.texts("h3") == [f"{about['title']} {name}"]
        (image,) = part.all("img")
        kind, data = image.attributes["src"].split(",")
        assert kind == "data:image/svg+xml;base64"
        assert base64.b64decode(data) == (folder / "figures" / f"{name}.svg").read_bytes()
        assert image.attributes["alt"] == f"{about['title']}. {about['shows']}"
        links = [a.attributes["href"] for caption in part.all("figcaption") for a in caption.all("a")]
        assert links == [report.PAPER_URL + config["sections"][about["section"]]["anchor"]]
        assert f"results/{name}.png" in part.text.replace(str(folder / "figures"), "results")
        shown = [row for table in part.all("table") for row in records(table) if "criterion" in row]
        expected = [dict(zip(COLUMNS, row, strict=True)) for row in claims if row[2] == name]
        assert len(shown) == len(expected)
        for row, claim in zip(shown, expected, strict=True):
            assert row["claim"].startswith(claim["claim"])
            assert row["claim"].endswith(f" {claim['verdict']}")
            assert row["the paper"] == claim["paper"].replace("_i", "i"), "an index is a subscript"
            assert row["criterion"] == claim["criterion"]
            assert row["measured"] == claim["measured"] + claim["note"]


def assert_stands_alone(page: Node) -> None:
    """Nothing is fetched and nothing is run; and every link inside the page leads somewhere, to one place."""
    assert not page.all("script")
    for node in page:
        for key, value in node.attributes.items():
            assert not key.startswith("on")
            if node.tag == "a" and key == "href" and value.startswith("https://"):
                continue
            assert not re.match(r"\s*(https?:|//|javascript:|file:|/)", value), f"<{node.tag} {key}={value[:50]}>"
    style = "".join(page.texts("style") + [node.attributes.get("style", "") for node in page])
    assert not re.search(r"url\(|@import", style)
    ids = [node.attributes["id"] for node in page if "id" in node.attributes]
    assert len(ids) == len(set(ids)), "an id twice"
    inside = [a.attributes["href"][1:] for a in page.all("a") if a.attributes["href"].startswith("#")]
    assert inside
    assert set(inside) <= set(ids)


def test_everything_is_shown(page: Node, folder: Path) -> None:
    assert_shows(page, folder, CONFIG, CLAIMS)
    assert_stands_alone(page)


def test_what_is_new_appears_by_itself(tmp_path: Path) -> None:
    """A section, a figure or a claim needs no line of code here."""
    config = copy.deepcopy(CONFIG)
    config["sections"]["theory"] = {"title": "Theory", "anchor": "#theory"}
    config["figures"]["extra"] = {"section": "theory", "title": "Extra", "shows": "News.", "experiments": ["five"]}
    config["figures"]["basic_huge"] = {"section": "basic", "title": "Huge", "shows": "Big.", "experiments": ["five"]}
    news = ("theory.extra", "theory", "extra", "All is new", "1", "= 1", "reproduced", "reproduced", "")
    folder = results(tmp_path, config, [*CLAIMS, news])
    page = whole(Report(folder, config))
    assert_shows(page, folder, config, [*CLAIMS, news])
    assert_stands_alone(page)
    assert "theory.extra" in [row["claim"] for row in records(page.all("table")[0])]
    assert "Theory" in page.all("nav")[0].texts("li")


def test_what_is_not_of_the_paper(tmp_path: Path) -> None:
    """An own sweep and an own section are shown like the rest, but not as the paper's, and after it."""
    config = copy.deepcopy(CONFIG)
    config["sections"] = {"theory": {"title": "My theory"}, **config["sections"]}
    config["figures"]["extra"] = {"section": "theory", "title": "Extra", "shows": "News.", "experiments": ["five"]}
    config["experiments"]["mine"] = {"model": "linear", "n": 2, "m": 1, "density": 1}
    own = {f"mine_{kind}": {} for kind in ("gram", "dimensionality")}
    folder = results(tmp_path, config | {"figures": config["figures"] | own})
    page = whole(Report(folder, config))
    assert_stands_alone(page)
    assert page.texts("h2")[3:] == ["Introduction", "Basics & more", "My theory", "Custom sweeps", *AROUND[3:]]
    assert [len(h.all("a")) for h in page.all("h2")] == [0, 0, 1, 1, 1, 0, 0, 0, 0], "links to the paper"
    captions = {name: part.texts("figcaption")[0] for name, part in figures(page).items()}
    assert list(captions)[-3:] == ["extra", *own]
    assert {name for name, text in captions.items() if text.startswith("The paper (")} == set(CONFIG["figures"])
    assert captions["extra"] == "News."
    assert parameters(page, "mine_gram")["mine"][0] == {}, "the paper states nothing"
    assert "mine" in [row["experiment"] for row in records(page.all("table")[-2])]


def test_a_figure_without_claims(tmp_path: Path) -> None:
    page = whole(Report(results(tmp_path, claims=CLAIMS[:1]), CONFIG))
    assert [len(part.all("table")) for part in figures(page).values()] == [2, 1, 1], "claims and parameters"


def test_summary(page: Node) -> None:
    """A line for every claim, in the order of the file, and a remark where the verdict is not the one on record."""
    rows = records(page.all("table")[0])
    assert [(row["claim"], row["figure"]) for row in rows] == [(claim[0], claim[2]) for claim in CLAIMS]
    for row, claim in zip(rows, CLAIMS, strict=True):
        assert claim[6] in row["verdict"]
        assert ("unexpected" in row["verdict"]) == (claim[0] == "basic.bias"), "what is not judged is not unexpected"


@pytest.mark.parametrize("numbers", [(1, 1, 1, 1, 1), (5, 2, 0, 0, 0), (0, 3, 12, 2, 1)])
def test_counts(numbers: tuple[int, ...], tmp_path: Path) -> None:
    """The numbers at the top are those of the file."""
    verdicts = [verdict for verdict, number in zip(report.VERDICT_MARKS, numbers, strict=True) for _ in range(number)]
    claims = [(f"basic.c{k}", "basic", "basic_small", "", "", "", v, v, "") for k, v in enumerate(verdicts)]
    summary = parse(Report(results(tmp_path, claims=claims), CONFIG).summary())
    (counts,) = (p.text for p in summary.all("p") if p.attributes.get("class") == "counts")
    total, parts = counts.split(" claims: ")
    assert int(total) == sum(numbers)
    found = {verdict: int(number) for number, verdict in re.findall(r"(\d+) \S ([a-z ]+[a-z])", parts)}
    assert found == {verdict: number for verdict, number in zip(report.VERDICT_MARKS, numbers, strict=True) if number}
    assert list(found) == [verdict for verdict in report.VERDICT_MARKS if verdict in found], "always in one order"


@pytest.mark.parametrize("verdict", report.VERDICT_MARKS)
def test_a_verdict_is_told_by_more_than_its_colour(verdict: str) -> None:
    """And has one in the template."""
    (badge,) = parse(report._badge(verdict)).all("span")
    mark, words = badge.text.split(" ", 1)
    assert words == verdict
    assert [v for v, m in report.VERDICT_MARKS.items() if m == mark] == [verdict]
    style = (ROOT / "report/template/index.html.j2").read_text(encoding="utf-8")
    assert all(f".{name}" in style for name in badge.attributes["class"].split())


NASTY = "<b>&\"quoted\" 'too'</b><script>alert(1)</script>"


def test_text_is_no_html(tmp_path: Path) -> None:
    """a < b & c is written so in many a criterion."""
    config = copy.deepcopy(CONFIG)
    config["figures"]["introduction"] |= {"title": f"T {NASTY}", "shows": f"S {NASTY}"}
    config["sections"]["introduction"]["title"] = f"H {NASTY}"
    claim = ("introduction.dense", "introduction", "introduction", *(f"{k} {NASTY}" for k in "pmc"), "corrected",
             "corrected", f"n {NASTY}")  # fmt: skip
    folder = results(tmp_path, config, [claim])
    page = whole(Report(folder, config))
    assert_shows(page, folder, config, [claim])
    assert_stands_alone(page)
    assert set(page.texts("b")) == {"The paper", "sum", "65.5"}
    assert page.text.count(NASTY) >= 7


def test_numbers(tmp_path: Path) -> None:
    """A figure's table ``numbers`` is shown beside it, as it is, and nowhere else; other tables are not shown."""
    folder = results(tmp_path)
    for figure, name in (("basic_small", "numbers"), ("basic_small", "grid"), ("basic_large", "grid")):
        folder.joinpath("tables", figure).mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame({f"‖W_2‖ {NASTY}": ["0.10", "NA", NASTY], "basic_small": ["007", "", "W_i"]})
        table.to_csv(folder / "tables" / figure / f"{name}.csv", index=False)
    page = whole(Report(folder, CONFIG))
    assert_shows(page, folder, CONFIG, CLAIMS)
    assert_stands_alone(page)
    header = [f"‖W2‖ {NASTY}", "basic_small"]
    shown = {name: [t for t in part.all("table") if t.texts("th") == header] for name, part in figures(page).items()}
    assert {name: len(found) for name, found in shown.items()} == {
        "introduction": 0,
        "basic_small": 1,
        "basic_large": 0,
    }
    cells = [row.texts("td") for row in shown["basic_small"][0].all("tr")[1:]]
    assert cells == [["0.10", "007"], ["NA", ""], [NASTY, "Wi"]]
    sections = "".join(part.text for part in figures(page).values())  # a checksum may have any digits
    assert sections.count("007") == 1
    assert [len(part.all("table")) for part in figures(page).values()] == [2, 3, 2]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("W_i", "<i>W</i><sub>i</sub>"),
        ("‖W_i‖² > ½", "‖<i>W</i><sub>i</sub>‖² &gt; ½"),
        ("W_j·W_i", "<i>W</i><sub>j</sub>·<i>W</i><sub>i</sub>"),
        ("b_i = E[x_i];", "<i>b</i><sub>i</sub> = E[<i>x</i><sub>i</sub>];"),
        ("Σ_k P(k) L_k", "<i>Σ</i><sub>k</sub> P(k) <i>L</i><sub>k</sub>"),
        ("L_0", "<i>L</i><sub>0</sub>"),
        ("Σ_{j≠i} W_j", "<i>Σ</i><sub>j≠i</sub> <i>W</i><sub>j</sub>"),
        ("Σ_{i>m} I_i (p/3 - p²/4)", "<i>Σ</i><sub>i&gt;m</sub> <i>I</i><sub>i</sub> (p/3 - p²/4)"),
        ("basic_small", "basic_small"),
        ("basic_small_linear, m_i", "basic_small_linear, <i>m</i><sub>i</sub>"),
        ("W_out and b_hidden", "W_out and b_hidden"),
        ("linear_is_pca", "linear_is_pca"),
        ("x_i_j", "x_i_j"),
        ("a_1b", "a_1b"),
        ("2_i", "2_i"),
        ("W_{", "W_{"),
        ("a < b & c", "a &lt; b &amp; c"),
        ("Σ_{<script>}", "<i>Σ</i><sub>&lt;script&gt;</sub>"),
        ("", ""),
    ],
)
def test_prose(text: str, html: str) -> None:
    """Indices are set as such; identifiers stay whole."""
    assert report._prose(text) == html


def parameters(page: Node, figure: str) -> dict[str, list[dict[str, str]]]:
    """By experiment: what the paper states, and what was chosen."""
    table = figures(page)[figure].all("details")[0].all("table")[0]
    return {
        name: [dict(part.split(" = ") for part in re.split(r", (?=[a-z0-9_]+ = )", cell) if part) for cell in cells]
        for name, *cells in (row.texts("td") for row in table.all("tr")[1:])
    }


def test_parameters(page: Node) -> None:
    """Every value stands in one of two columns: the paper states it, or we chose it, defaults included."""
    shown = parameters(page, "basic_small")
    assert list(shown) == ["wide", "five"], "in the order of the figure"
    stated, chosen = shown["five"]
    assert stated == {"model": "relu_output", "n": "5", "m": "2", "density": "1, 0.125"}
    assert chosen["importance"] == "0.75^i"
    assert chosen["steps"] == "1234"
    assert chosen["batch"] == "1024"
    assert chosen["learning_rate"] == "0.01"
    assert chosen["restarts"] == "3"
    assert chosen["distribution"] == "independent"
    stated, chosen = shown["wide"]
    assert stated == {}
    assert chosen["density"] == "20 values from 1 to 0.01"
    assert chosen["seeds"] == "4"


def test_zero_is_a_choice(page: Node) -> None:
    """Adam instead of the notebook's AdamW, for one."""
    assert float(parameters(page, "introduction")["five"][1]["weight_decay"]) == 0


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ({"relative_density": {"features": [0, 2], "ratio": [0.5, 1]}}, {"relative_density": "features 1, 3: 0.5, 1"}),
        ({"relative_importance": {"features": [1], "ratio": 4}}, {"relative_importance": "features 2: 4"}),
        ({"importance": [1, 2, 3]}, {"importance": "1, 2, 3"}),
        ({"importance": 2}, {"importance": "2"}),
        ({"density": 1e-5}, {"density": "1e-05"}),
        ({"distribution": {"correlated": [[0, 1]]}}, {"distribution": "correlated 0+1"}),
        ({"model": "relu_hidden", "hidden_bias": True}, {"hidden_bias": "True"}),
    ],
)
def test_ways_to_show_a_parameter(entry: dict[str, Any], shown: dict[str, str], folder: Path) -> None:
    config = copy.deepcopy(CONFIG)
    config["experiments"]["five"] = {"model": "linear", "n": 3, "m": 2, "density": 0.5} | entry
    _, chosen = parameters(parse("".join(Report(folder, config).sections())), "introduction")["five"]
    assert chosen | shown == chosen


def test_an_exact_solution_has_no_recipe(folder: Path) -> None:
    """No steps, no batch: they would be read as those of a training."""
    config, models = copy.deepcopy(CONFIG), {"model": "relu_output", "n": 2, "m": 1, "density": 0.5, "restarts": 3}
    keys = []
    for solver in ("exact", "adam"):
        config["experiments"]["five"] = models | {"solver": solver}
        _, chosen = parameters(parse("".join(Report(folder, config).sections())), "introduction")["five"]
        assert chosen["solver"] == solver
        keys.append(set(chosen))
    assert {"model", "n", "density", "restarts"} <= keys[0] < keys[1]
    assert {"steps", "batch", "learning_rate", "schedule", "weight_decay"} <= keys[1] - keys[0]


def test_provenance(folder: Path) -> None:
    """A checksum of every weights file that is shown, and how many models are in it."""
    page = parse(Report(folder, CONFIG).provenance())
    facts, weights, times = page.all("table")
    rows, digests = records(weights), {}
    for file in (folder / "weights").iterdir():
        digests[file.stem] = hashlib.sha256(file.read_bytes()).hexdigest()
    assert [row["experiment"] for row in rows] == ["five", "wide"]
    assert [row["SHA-256"] for row in rows] == [digests["five"], digests["wide"]]
    assert [(row["seeds × restarts"], row["models"]) for row in rows] == [
        ("seed 0 × 3", "6"),
        ("seed 0 to 3 × 1", "80"),
    ]
    about = dict(row.texts("td") for row in facts.all("tr")[1:])
    assert about["scale"] == "paper"
    for package in ("torch", "numpy", "snakemake"):
        assert f"{package} {importlib.metadata.version(package)}" in about["Python and packages"]
    assert times.texts("th")[1] == "seconds"
    jobs = [row.texts("td") for row in times.all("tr")[1:]]
    assert jobs == [
        ["draw/introduction", "2.5", "-"],
        ["train/five", "61.5", "321.75"],
        ["train/wide/2-of-4", "1.5", "7"],
        ["sum", "65.5", ""],
    ]


def test_provenance_names_the_device_of_the_training(folder: Path) -> None:
    """The weights know it. The report may be made on another machine, or on the same one with ``device: cpu``."""
    about = Report(folder, CONFIG).provenance()
    assert "Imaginary Five" in about
    assert "Imaginary Wide" in about


def test_provenance_outside_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """From an archive of the sources, or without git."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "not in a git checkout" in Report(folder, CONFIG).provenance()
    monkeypatch.setenv("PATH", "")
    assert "not in a git checkout" in Report(folder, CONFIG).provenance()


def test_scale_quick(tmp_path: Path) -> None:
    """The report says which scale it is of, shows its parameters, and how to make its figures."""
    config = CONFIG | {"scale": "quick"}
    page = whole(Report(results(tmp_path, config), config))
    assert "at scale quick." in page.text
    assert parameters(page, "introduction")["five"][1]["steps"] == "77"
    commands = [code for part in figures(page).values() for code in part.texts("code") if code.startswith("snakemake")]
    assert commands == [
        f"snakemake --cores all {tmp_path}/figures/{name}.png --config scale=quick" for name in figures(page)
    ]


def test_a_figure_of_another_file_is_made_with_that_file(folder: Path) -> None:
    """Without it there would be no such figure, or another one."""
    page = whole(Report(folder, CONFIG, ["my own.yaml", "b.yaml"]))
    commands = [code for part in figures(page).values() for code in part.texts("code") if code.startswith("snakemake")]
    assert [command.partition(".png ")[2] for command in commands] == ["--configfile 'my own.yaml' b.yaml"] * 3


def test_claims_keep_their_text(tmp_path: Path) -> None:
    """NA and None are words, 007 is no 7, and an empty note is none."""
    claim = ("basic.bias", "basic", "basic_small", "NA", "007", "None", "reproduced", "reproduced", "")
    page = whole(Report(results(tmp_path, claims=[claim]), CONFIG))
    (row,) = records(figures(page)["basic_small"].all("table")[0])
    assert (row["the paper"], row["criterion"], row["measured"]) == ("NA", "None", "007")


# the notebook and the template


@pytest.fixture(scope="module")
def rendered(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The HTML file, by the workflow's own scripts."""
    made = tmp_path_factory.mktemp("made")

    def run(script: str, output: str, params: dict[str, Any], **inputs: str) -> None:
        job = SimpleNamespace(
            input=SimpleNamespace(**inputs),
            output=[str(made / output)],
            params=SimpleNamespace(**params),
            log=[str(made / "log")],
        )
        runpy.run_path(str(ROOT / "workflow/scripts" / script), init_globals={"snakemake": job})

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "src"))  # of the notebook's process; the Snakefile does the same
        # So are the sections, which a startup file of the notebook's process replaces.
        startup = made / "ipython/profile_default/startup/sections.py"
        startup.parent.mkdir(parents=True)
        config, sections = split(CONFIG)
        write_sections(made / "paper", sections)
        startup.write_text(f"from superposition.pipeline import stages\nstages.PAPER = stages.Path('{made}/paper')\n")
        patch.setenv("IPYTHONDIR", str(made / "ipython"))
        parameters = {"results": str(folder), "config": config, "configfiles": []}
        run("run_notebook.py", "report.ipynb", parameters, notebook=str(ROOT / "report/report.ipynb"))
    template = str(ROOT / "report/template/index.html.j2")
    run("render_report.py", "report.html", {}, notebook=str(made / "report.ipynb"), template=template)
    return (made / "report.html").read_text(encoding="utf-8")


def test_the_rendered_report(rendered: str, folder: Path) -> None:
    """One file: everything that is there, no code, nothing that is fetched, and well-formed."""
    page = parse(rendered)
    assert rendered.lstrip().startswith("<!DOCTYPE html>")
    assert page.all("html")[0].attributes["lang"]
    assert page.texts("title") == ["Toy Models of Superposition, replicated"]
    assert_shows(page, folder, CONFIG, CLAIMS)
    assert_stands_alone(page)
    assert "<script" not in rendered
    assert "import superposition" not in rendered
    assert "Traceback" not in rendered


def test_the_rendered_report_is_all_parts_in_order(rendered: str, folder: Path) -> None:
    """The summary first, provenance last."""

    def text(node: Node) -> str:
        return re.sub(r"\s+", "", node.text)

    (main,) = parse(rendered).all("main")
    assert text(main) == text(whole(Report(folder, CONFIG)))
    heads = main.texts("h2")
    assert [head for head in heads if head in AROUND] == list(AROUND)
    assert (heads[0], heads[-1]) == ("Summary", "Provenance")


def test_an_animation_is_in_the_page(tmp_path: Path) -> None:
    """Beside the figure that it is of, folded away, described, and in need of no other file; the others have none."""
    config = copy.deepcopy(CONFIG)
    config["figures"]["basic_small"]["animated"] = True
    shown = Report(results(tmp_path / "moving", config), config)
    html = shown.figure("basic_small")
    (image,) = re.findall(r"<details class='animation'>.*?src='data:image/gif;base64,([^']*)' alt='([^']+)'", html)
    assert base64.b64decode(image[0]) == GIF
    assert image[1].startswith("Small")
    assert "image/gif" not in shown.figure("basic_large")


def test_figures_at_a_glance(page: Node) -> None:
    """Every figure as a small picture that leads to it, with the verdicts on its claims; the pictures stay small."""
    cards = {a.attributes["href"]: a for a in page.all("a") if a.attributes.get("class") == "card"}
    assert list(cards) == [f"#figure-{name}" for name in CONFIG["figures"]]
    for name, card in zip(CONFIG["figures"], cards.values(), strict=True):
        assert card.text.startswith(CONFIG["figures"][name]["title"])
        for verdict in report.VERDICT_MARKS:
            count = sum(claim[2] == name and claim[6] == verdict for claim in CLAIMS)
            assert (f"{count} {report.VERDICT_MARKS[verdict]} {verdict}" in card.text) == (count > 0)
        (image,) = card.all("img")
        kind, data = image.attributes["src"].split(",")
        assert kind == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as small:
            assert small.size == (340, 113), "as wide as two cards, in proportion"
        assert image.attributes["alt"] == "", "the words beside it say it"


def test_what_it_took(folder: Path) -> None:
    """Numbers from the results: 3 + 80 + 2 models, 61.5 + 1.5 + 2.5 seconds; what ends after the page is made is
    not known, and what is no job of this configuration any more does not count."""
    text = parse(Report(folder, CONFIG).summary()).text
    counts = {
        name: len(Sweep.parse({k: v for k, v in e.items() if k not in ("from_paper", "quick")}).points())
        for name, e in CONFIG["experiments"].items()
    }
    models = counts["five"] * 3 + sum(counts[name] for name in counts if name != "five")
    assert f"3 figures from {models} models in {len(counts)} experiments" in text
    assert "took 1.1 minutes" in text
    assert "Imaginary Five and Imaginary Wide" in text


def test_cells_that_name_their_column(page: Node) -> None:
    """Where the style sheet shows a row as a block, each cell has the name of its column; nowhere else."""
    kinds = set()
    for table in page.all("table"):
        kind = table.attributes["class"]
        for row in table.all("tr")[1:]:
            names = [cell.attributes.get("data-column") for cell in row.all("td")]
            assert names == (table.texts("th") if kind else [None] * len(names))
        kinds.add(kind)
    assert {"", "lines", "claims", "corrections"} <= kinds


def test_corrections_are_gathered(page: Node, tmp_path: Path) -> None:
    """Those claims, with the evidence and a way to the claim; and a sentence where there are none."""
    (table,) = (table for table in page.all("table") if table.attributes["class"] == "corrections")
    (row,) = records(table)
    assert (row["claim"], row["the paper"]) == ("basic.linear_is_pca", "Wi is PCA")
    assert row["correction and evidence"] == "Hardly.Measured: 0.01"
    none = parse(Report(results(tmp_path, claims=CLAIMS[:1]), CONFIG).corrections())
    assert not none.all("table")
    assert "None of the claims" in none.text


def test_mathematics_needs_no_network(page: Node) -> None:
    """MathML: the four models and the loss, each symbol of the paper's."""
    (table,) = (table for table in page.all("table") if "hidden layer" in table.texts("th"))
    assert table.texts("td")[::3] == ["linear", "relu_output", "relu_hidden", "absolute"]
    assert len(table.all("math")) == 8
    formulas = [re.sub(r"\s", "", text) for text in table.texts("math")]
    assert formulas[::2] == ["h=Wx", "h=Wx", "h=ReLU(Wx)", "h=ReLU(W1x)"]
    assert formulas[1::2] == ["x′=W⊤h+b", "x′=ReLU(W⊤h+b)", "x′=ReLU(W⊤h+b)", "y′=ReLU(W2h+b)≈|x|"]
    assert not [node for node in page.all("math") if node.attributes.get("xmlns")], "no address in the page"


def varied(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    folder.joinpath("sensitivity").mkdir()
    for section in dict.fromkeys(claim.partition(".")[0] for claim, *_ in rows):
        own = [(c, variant, "1", verdict) for c, variant, verdict in rows if c.startswith(f"{section}.")]
        table = pd.DataFrame(own, columns=["claim", "variant", "measured", "verdict"])
        table.to_csv(folder / "sensitivity" / f"{section}.csv", index=False)


def test_sensitivity(tmp_path: Path) -> None:
    """A verdict for each recipe, and how many are those of the recipe as it is configured, whatever that one was."""
    claims = ["introduction.dense", "basic.bias"]
    folder = results(tmp_path)
    good, bad = "reproduced", "not reproduced"
    found = {"as configured": (good, bad), "steps halved": (bad, bad), "steps doubled": (good, bad)}
    varied(folder, [(c, variant, v[k]) for k, c in enumerate(claims) for variant, v in found.items()])
    part = parse(Report(folder, CONFIG | {"sensitivity": claims}).certainty())
    assert "3 of 4 verdicts" in part.text
    rows = records(part.all("table")[0])
    assert [row.pop("claim") for row in rows] == claims
    for k, row in enumerate(rows):
        start = found["as configured"][k]
        assert row.pop("as configured")[2:] == start
        expected = {name: v[k] for name, v in found.items() if name != "as configured"}
        assert row.keys() == expected.keys()
        for name, verdict in expected.items():
            assert row[name] == ("the same" if verdict == start else f"{report.VERDICT_MARKS[verdict]} {verdict}")


def test_every_experiment_says_what_it_rests_on(page: Node) -> None:
    (table,) = (table for table in page.all("table") if "restarts" in table.texts("th"))
    rows = {row["experiment"]: row for row in records(table)}
    assert list(rows)[: len(CONFIG["experiments"])] == list(CONFIG["experiments"])
    assert rows["five"] == {
        **{"experiment": "five", "points": "2", "seeds": "1", "restarts": "3"},
        **{"batch": "1024", "learning rate": "0.01", "steps": "1234"},
    }
    assert (rows["wide"]["points"], rows["wide"]["seeds"]) == ("20", "4")


def test_what_is_solved_exactly_rests_on_no_recipe(folder: Path) -> None:
    config = copy.deepcopy(CONFIG)
    config["experiments"]["wide"] = {"model": "relu_output", "n": 2, "m": 1, "density": 0.5, "solver": "exact"}
    rows = {row["experiment"]: row for row in records(parse(Report(folder, config).certainty()).all("table")[-1])}
    assert [rows["wide"][key] for key in ("batch", "learning rate", "steps")] == ["exact", "", ""]
    assert rows["five"]["steps"] == "1234"


def luminance(colour: str) -> float:
    """Relative luminance as in the accessibility guidelines (WCAG 2)."""
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    linear = []
    for k in (0, 2, 4):
        value = int(digits[k : k + 2], 16) / 255
        linear.append(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast() -> None:
    """Text on its ground at 4.5 to 1 or more, as the guidelines ask: words, links, and the verdicts."""
    style = (ROOT / "report/template/index.html.j2").read_text(encoding="utf-8")
    named = dict(re.findall(r"--(\w+): (#\w+)", style))
    pairs = [(named[ink], ground) for ink in ("ink", "soft", "link") for ground in ("#fff", named["wash"])]
    badges = re.findall(r"background: (#\w+); color: (#\w+)", style)
    assert len(badges) == len(report.VERDICT_MARKS)
    for one, other in [*pairs, *badges]:
        dark, light = sorted((luminance(one), luminance(other)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (one, other)


CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
# Says of every picture whether it is there and seen, and of the page whether it is wider than the window.
LOOK = """<script>addEventListener("load", () => {
  document.querySelectorAll("details").forEach(part => part.open = true);
  document.querySelectorAll("img").forEach(image => image.loading = "eager");
  Promise.all([...document.images].map(image => image.decode().catch(() => 0))).then(() => {
    const seen = [...document.images].map(image => [image.naturalWidth, image.getBoundingClientRect().width]);
    const wide = document.documentElement.scrollWidth - innerWidth;
    document.body.insertAdjacentHTML("beforeend", `<pre id="seen">${JSON.stringify([seen, wide])}</pre>`);
  });
})</script>"""


@dataclass
class Look:
    """A page as chromium shows it."""

    errors: list[str]  # in the console
    pictures: list[list[float]]  # the width of the picture itself, and that on the page
    overflow: float  # by how much the page is wider than the window
    requests: list[str]  # of the page, not those of the browser itself


def look(page: str, folder: Path, width: int = 1200) -> Look:
    (folder / "page.html").write_text(page.replace("</body>", f"{LOOK}</body>"), encoding="utf-8")
    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--virtual-time-budget=20000"]
    logs = ["--enable-logging=stderr", f"--log-net-log={folder / 'net.json'}", f"--user-data-dir={folder / 'user'}"]
    command = [CHROMIUM, *switches, *logs, f"--window-size={width},900", "--dump-dom", (folder / "page.html").as_uri()]
    home = os.environ | {"HOME": str(folder)}
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, env=home)
    seen, overflow = json.loads(html.unescape(re.findall(r'<pre id="seen">(.*?)</pre>', run.stdout)[-1]))
    log = (folder / "net.json").read_text()
    asked = re.findall(r'"initiator":"null"[^\n]*?"url":"([^"]*)"', log)
    return Look(re.findall(r"CONSOLE.*", run.stderr), seen, overflow, [url for url in asked if url.startswith("http")])


needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="there is no chromium here")


@needs_chromium
@pytest.mark.parametrize("width", [1200, 500])
def test_in_a_browser(rendered: str, tmp_path: Path, width: int) -> None:
    """No error in the console, no request to a network, every picture there and seen; never wider than the window."""
    seen = look(rendered, tmp_path, width)
    assert (seen.errors, seen.requests) == ([], [])
    assert len(seen.pictures) == 2 * len(CONFIG["figures"])
    assert all(natural > 0 and shown > 50 for natural, shown in seen.pictures)
    assert seen.overflow <= 0


@needs_chromium
def test_the_browser_would_tell(tmp_path: Path) -> None:
    """A page with every one of these faults."""
    image = "<img src='http://localhost:9/nothing.png'>"
    page = f"<html><body><div style='width: 3000px'>{image}</div><script>nothing()</script></body></html>"
    seen = look(page, tmp_path)
    assert any("nothing is not defined" in error for error in seen.errors)
    assert seen.requests == ["http://localhost:9/nothing.png"]
    assert seen.pictures[0][0] == 0
    assert seen.overflow > 1000
