"""Test the report of a tiny results folder: it shows all results, as they are, in one page that needs no other file."""

import base64
import copy
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import papermill
import pytest
import torch
from bs4 import BeautifulSoup, Tag
from PIL import Image
from tests.pipeline.browser import new_page
from tests.sections import parse as parse_with_sections

from superposition.core.experiment.sweep import Sweep
from superposition.core.weights import SweepResult
from superposition.pipeline import files
from superposition.pipeline.configuration.config import Config
from superposition.pipeline.judging.claims import CLAIM_COLUMNS, CRITERIA_COLUMNS, PAPER_URL
from superposition.pipeline.report import notebook
from superposition.pipeline.report.page import render
from superposition.pipeline.robustness import COUNT_COLUMNS, VERDICTS

ROOT = Path(__file__).parents[3]
TEXT, TEMPLATE = ROOT / "report/report.md.j2", ROOT / "report/template/index.html.j2"
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
        "basic_small": {
            **{"section": "basic", "title": "Small", "shows": "WᵀW.", "experiments": ["wide", "five"]},
            "animated": True,
        },
        "basic_large": {"section": "basic", "title": "Large", "shows": "The same.", "experiments": ["wide"]},
    },
}
MORE = ("trained models", "firm", "https://paper", "")
CLAIMS = [
    (
        "introduction.dense",
        "introduction",
        "introduction",
        "Two features",
        "2",
        "= 2",
        "reproduced",
        "reproduced",
        "",
        *MORE,
    ),
    (
        "basic.linear_is_pca",
        "basic",
        "basic_small",
        "W_i is PCA",
        "0.01",
        "< 0.1",
        "corrected",
        "corrected",
        "Hardly.",
        *MORE,
    ),
    ("basic.bias", "basic", "basic_small", "b_i is E[x_i]", "7.5", "> 8", "not reproduced", "reproduced", "", *MORE),
    (
        "basic.scale_free",
        "basic",
        "basic_large",
        "The same",
        "",
        "= 0",
        "needs scale paper",
        "corrected",
        "Later.",
        *MORE,
    ),
]
CRITERIA = [
    (claim, part, f"number of {claim}", 3.5, 0.25, "<", 8, "exact calculation", "seven", True, 2.29, False)
    for claim in ("introduction.dense", "basic.linear_is_pca")
    for part in ("statement", "correction")
]
OPTIMALITY_COLUMNS = ["figure", "point", "experiment", "excess", "excess_error", "source", "gap", "gap_error"]
OPTIMALITY = [
    ("basic_small", "density 0.0215443469", "five", 0.0163, 0.0002, "five at 0.04641588", 0.0012, 0.0004),
    ("basic_large", "", "wide", 0.002, 0.001, "trained", 0.0, 0.0),
]
# Seconds and inputs of jobs; the last one trained an experiment that there was.
JOBS = {
    "train/five": (61.5, []),
    "train/wide/2-of-4": (1.5, []),
    "train/wide": (2.5, ["part"]),
    "train/gone": (300, []),
}


def make_results(folder: Path, config: dict[str, Any] = CONFIG, claims: list[tuple[str, ...]] = CLAIMS) -> Path:
    """Write what the workflow leaves: claims, tables, figures, weights (never trained), logs and benchmarks."""
    parsed = Config.parse(config)
    for name in ("figures", "weights", "tables"):
        folder.joinpath(name).mkdir(parents=True)
    pd.DataFrame(claims, columns=CLAIM_COLUMNS).to_csv(folder / "claims.csv", index=False)
    pd.DataFrame(CRITERIA, columns=CRITERIA_COLUMNS).to_csv(folder / "criteria.csv", index=False)
    pd.DataFrame(OPTIMALITY, columns=OPTIMALITY_COLUMNS).to_csv(folder / "optimality_by_figure.csv", index=False)
    for name in parsed.figures:
        (folder / "figures" / f"{name}.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg'>{name}</svg>")
        Image.new("RGB", (900, 300), "teal").save(folder / "figures" / f"{name}.png")
        (folder / "figures" / f"{name}.gif").write_bytes(f"GIF89a-of-{name}".encode())
        files.write({"models": pd.DataFrame({"model": [name]})}, folder / "tables" / name)
    for name, sweep in parsed.sweeps.items():
        shape = (len(sweep.points()), sweep.restarts)
        parameters = {"W": torch.rand(*shape, sweep.m, sweep.n), "b": torch.rand(*shape, sweep.n)}
        loss, steps = torch.rand(shape, dtype=torch.float64), torch.tensor([], dtype=torch.int64)
        models = SweepResult(sweep, parameters, loss, 0 * loss, steps, device=f"Imaginary {name.title()}")
        models.save(folder / "weights" / f"{name}.safetensors")
    for name, (seconds, inputs) in JOBS.items():
        output = "part" if "-of-" in name else f"{folder}/weights/{Path(name).stem}.safetensors"
        record = {"rule": "train", "input": inputs, "output": [output], "start": name, "end": name, "machine": "Abacus"}
        for path, text in (
            (f"logs/{name}.log", json.dumps(record)),
            (f"benchmarks/{name}.tsv", f"s\tmax_rss\n{seconds}\t-"),
        ):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    return folder


def make_page(
    folder: Path,
    config: dict[str, Any] = CONFIG,
    configfiles: tuple[str, ...] = (),
    execute: bool = False,
    record: Path | None = None,
) -> BeautifulSoup:
    """Make the report; its figures are missing unless the notebook is executed, which takes seconds."""
    built = notebook.build_notebook(TEXT, folder, Config.parse(config), configfiles, record)
    path = folder / "report.ipynb"
    if execute:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(ROOT / "src"))
            papermill.execute_notebook(built, path, cwd=folder, progress_bar=False)
    else:
        nbformat.write(built, path)
    (folder / "report.html").write_text(render(path, TEMPLATE), encoding="utf-8")
    return BeautifulSoup((folder / "report.html").read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="module", autouse=True)
def sections_by_hand() -> Iterator[None]:
    """Let the sections be those of the configuration above."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, "parse", parse_with_sections)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def page(folder: Path) -> BeautifulSoup:
    return make_page(folder, execute=True)


def test_trained_models_beside_the_best_known(page: BeautifulSoup) -> None:
    """A summary links to the certificate, and each figure that has one says it in a line."""
    (summary,) = tables(page, "figure", "largest gap to a construction")
    assert [row["figure"] for row in summary] == ["basic_small", "basic_large"]
    assert summary[0] == {
        "figure": "basic_small",
        "largest excess of a trained model's loss": "1.63 ± 0.02 %",
        "at": "five, density 0.0215",
        "the best known model comes from": "five at 0.0464",
        "largest gap to a construction": "0.12 ± 0.04 %",
    }
    assert "in 1 of 2 figures" in text(page)
    assert page.find("a", href="optimality.csv")
    for name, part in figures(page).items():
        assert ("cost up to" in text(part)) == (name in ("basic_small", "basic_large"))
    assert "cost up to 1.63 ± 0.02 % more" in text(figures(page)["basic_small"])


def text(tag: Tag) -> str:
    return " ".join(tag.get_text().split())


def records(table: Tag) -> list[dict[str, str]]:
    """Return the rows of a table by the names of its columns."""
    header = [text(cell) for cell in table.find_all("th")]
    return [
        dict(zip(header, map(text, row.find_all("td")), strict=True)) for row in table.find_all("tr") if row.find("td")
    ]


def tables(part: Any, *columns: str) -> list[list[dict[str, str]]]:
    """Return the tables that have these columns."""
    return [
        records(table)
        for table in part.find_all("table")
        if {*columns} <= {text(cell) for cell in table.find_all("th")}
    ]


def figures(page: BeautifulSoup) -> dict[str, BeautifulSoup]:
    """Return the part of the page about each figure, by its name."""
    parts = re.split(r'(?=<h3 id="figure-)', str(page))[1:]
    ends = [re.split(r"<h2", part)[0] for part in parts]
    return {re.match(r'<h3 id="figure-(\w+)', part)[1]: BeautifulSoup(part, "html.parser") for part in ends}


def content(image: Tag) -> bytes:
    """Return the picture in a data URI, which is text for drawings."""
    header, data = image["src"].split(",", 1)
    return base64.b64decode(data) if header.endswith(";base64") else unquote_to_bytes(data)


# The figures of the configuration that the explorer shows.
EXPLORED = {"introduction", "basic_small", "basic_large"}
AROUND = ("Summary", "Where the paper needs a correction", "The setting", "How certain are the verdicts?", "Provenance")


def assert_shows(page: BeautifulSoup, config: dict[str, Any], claims: list[tuple[str, ...]]) -> None:
    """Check that every section, figure and claim is in its place, in the order of the configuration."""
    headings = [text(heading) for heading in page.find_all("h2")]
    assert headings == [*AROUND[:3], *(section["title"] for section in config["sections"].values()), *AROUND[3:]]
    order = [f for s in config["sections"] for f, figure in config["figures"].items() if figure["section"] == s]
    assert list(figures(page)) == order
    for name, part in figures(page).items():
        about = config["figures"][name]
        assert text(part.h3) == f"{about['title']} {name}"
        anchor = config["sections"][about["section"]]["anchor"]
        paper, *explorer = [link["href"] for link in part.select(".caption a")]
        assert paper == PAPER_URL + anchor
        assert [link.partition("&")[0] for link in explorer] == [f"explorer.html#{name}"] * (name in EXPLORED)
        shown = [row for table in tables(part, "criteria and evidence") for row in table]
        expected = [dict(zip(CLAIM_COLUMNS, claim, strict=True)) for claim in claims if claim[2] == name]
        for row, claim in zip(shown, expected, strict=True):
            statement = claim["paper"].replace("_i", "i")  # an index is a subscript
            head = re.match(rf"{claim['claim']} ?\S {claim['verdict']} ?", row["the paper"])
            assert row["the paper"][head.end() :].startswith(statement)
            evidence = row["criteria and evidence"]
            compared = claim["claim"] in {criterion[0] for criterion in CRITERIA}
            assert ("3.5 ± 0.2 < 8" in evidence) == compared
            assert ("The correction" in evidence) == (claim["verdict"] == "corrected")
            assert all(part in evidence for part in (claim["note"], claim["text"]))


def assert_stands_alone(page: BeautifulSoup) -> None:
    """Check that nothing is fetched or run, and that every link inside the page leads to one place."""
    assert not page.find("script")
    for tag in page.find_all(True):
        for key, value in tag.attrs.items():
            assert not key.startswith("on")
            if not (tag.name == "a" and str(value).startswith("https://")):
                assert not re.match(r"\s*(https?:|//|javascript:|file:|/)", str(value)), (
                    tag.name,
                    key,
                    str(value)[:50],
                )
    assert not re.search(r"url\(|@import", page.style.get_text())
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    inside = {link["href"][1:] for link in page.find_all("a") if link["href"].startswith("#")}
    assert inside <= set(ids)
    assert not re.search(r"</?(td|tr|p|div|span|h\d)\b", page.get_text()), "HTML taken for text"


def test_everything_is_shown(page: BeautifulSoup, folder: Path) -> None:
    assert_shows(page, CONFIG, CLAIMS)
    assert_stands_alone(page)
    for name, part in figures(page).items():
        assert content(part.figure.img) == (folder / "figures" / f"{name}.svg").read_bytes()
        assert f"{folder}/figures/{name}.png" in text(part)
        moving = part.select(".animation img")
        assert [content(image) for image in moving] == [b"GIF89a-of-basic_small"] * (name == "basic_small")
        assert all(image["alt"] for image in (part.figure.img, *moving))


def test_the_notebook_shows_where_figures_come_from(page: BeautifulSoup, folder: Path) -> None:
    """The notebook ran without errors, holds no pictures, and has a cell per figure that draws from the tables."""
    written = nbformat.read(folder / "report.ipynb", as_version=4)
    nbformat.validate(written)
    code = [cell for cell in written.cells if cell.cell_type == "code"]
    assert [cell.metadata.tags for cell in code if "parameters" in cell.metadata.tags] == [["parameters"]]
    assert all(cell.metadata.papermill.exception is False for cell in code)
    for name in CONFIG["figures"]:
        assert sum(f'stored.tables("{name}")' in cell.source for cell in code) == 1
    assert "base64" not in (folder / "report.ipynb").read_text(encoding="utf-8")


def test_changed_data_are_drawn(folder: Path) -> None:
    """The stored drawing is shown for the stored tables only."""
    stored = notebook.Results(folder)
    draw = lambda data: len(data["models"])  # noqa: E731
    data = stored.tables("introduction")
    assert "figures/introduction.svg" in stored.show("introduction", draw, data)._repr_html_()
    data["models"] = data["models"].iloc[:0]
    assert stored.show("introduction", draw, data) == 0
    figure = plt.figure()
    assert stored.show("introduction", lambda _: figure, data) is figure
    assert not plt.fignum_exists(figure.number), "an open figure would be shown twice"


def test_what_is_new_appears_by_itself(tmp_path: Path) -> None:
    """A section, a figure or a claim needs no line of code here."""
    config = copy.deepcopy(CONFIG)
    config["sections"]["theory"] = {"title": "Theory", "anchor": "#theory"}
    config["figures"]["extra"] = {"section": "theory", "title": "Extra", "shows": "News.", "experiments": ["five"]}
    config["figures"]["basic_huge"] = {"section": "basic", "title": "Huge", "shows": "Big.", "experiments": ["five"]}
    extra = ("theory.extra", "theory", "extra", "All is new", "1", "= 1", "reproduced", "reproduced", "", *MORE)
    claims = [*CLAIMS, extra]
    page = make_page(make_results(tmp_path, config, claims), config)
    assert_shows(page, config, claims)
    assert_stands_alone(page)
    assert "theory.extra" in [row["claim"] for row in tables(page, "claim", "figure")[0]]


def test_what_is_not_of_the_paper(tmp_path: Path) -> None:
    """A custom sweep and a custom section are shown like the rest, but not as the paper's, and after it."""
    config = copy.deepcopy(CONFIG)
    config["sections"] = {"theory": {"title": "My theory"}, **config["sections"]}
    config["figures"]["extra"] = {"section": "theory", "title": "Extra", "shows": "News.", "experiments": ["five"]}
    config["experiments"]["mine"] = {"model": "linear", "n": 2, "m": 1, "density": 1}
    page = make_page(make_results(tmp_path, config), config)
    assert_stands_alone(page)
    headings = [text(h) for h in page.find_all("h2")][3:-2]
    assert headings == ["Introduction", "Basics & more", "My theory", "Custom sweeps"]
    captions = {name: text(part.select_one(".caption")) for name, part in figures(page).items()}
    assert list(captions)[-3:] == ["extra", "mine_gram", "mine_dimensionality"]
    assert {name for name, caption in captions.items() if caption.startswith("The paper (")} == set(CONFIG["figures"])


def test_summary(page: BeautifulSoup) -> None:
    """The summary has the counts, a line for every claim that marks unexpected verdicts, and the work."""
    assert text(page.select_one("p.counts")).startswith("4 claims: 1 ✓ reproduced · 1 ≠ corrected · 1 ✗ not reproduced")
    rows = tables(page, "claim", "verdict", "figure")[0]
    assert [(row["claim"], row["figure"]) for row in rows] == [(claim[0], claim[2]) for claim in CLAIMS]
    assert ["unexpected" in row["verdict"] for row in rows] == [False, False, True, False]
    words = text(page)
    assert "3 figures from 86 models in 2 experiments" in words
    assert "add up to 1.1 minutes on Abacus; the models were trained on Imaginary Five and Imaginary Wide" in words


def test_figures_at_a_glance(page: BeautifulSoup) -> None:
    """Every figure has a small picture that leads to it, with the verdicts on its claims."""
    cards = page.select("a.card")
    assert [card["href"] for card in cards] == [f"#figure-{name}" for name in CONFIG["figures"]]
    assert text(cards[1]) == "Small1 ≠ corrected · 1 ✗ not reproduced"
    for card in cards:
        with Image.open(io.BytesIO(content(card.img))) as small:
            assert small.size == (340, 113)


def test_corrections_are_gathered(page: BeautifulSoup, tmp_path: Path) -> None:
    ((row,),) = tables(page, "correction and evidence")
    assert row["claim"] == "basic.linear_is_pca"
    assert row["correction and evidence"].replace(" ", "") == "Hardly.Measured:0.01"
    none = make_page(make_results(tmp_path, claims=CLAIMS[:1]))
    assert not any(tables(none, "correction and evidence"))


def test_a_verdict_is_told_by_more_than_its_colour() -> None:
    assert len({*notebook.VERDICT_MARKS.values()}) == len(notebook.VERDICT_MARKS)
    style = TEMPLATE.read_text(encoding="utf-8")
    assert all(f".{verdict.replace(' ', '-')} {{" in style for verdict in notebook.VERDICT_MARKS)


NASTY = "<b>&\"quoted\" 'too'</b><script>alert(1)</script> *a* `b` |c| [d](e) {{ f }}"


def test_text_is_no_markup(tmp_path: Path) -> None:
    """Text with the characters of HTML and Markdown is shown as written, and empty lines do not end a block."""
    config = copy.deepcopy(CONFIG)
    config["figures"]["introduction"] |= {"title": f"T {NASTY}", "shows": f"S {NASTY}"}
    config["sections"]["introduction"]["title"] = f"H {NASTY}"
    claim = ("introduction.dense", "introduction", "introduction", *(f"{k} {NASTY}" for k in "pmc"), "corrected",
             "corrected", f"n {NASTY}", *MORE[:3], f"t {NASTY}")  # fmt: skip
    folder = make_results(tmp_path, config, [claim])
    table = pd.DataFrame({f"‖W_2‖ {NASTY}": ["0.10", "NA", NASTY], "basic_small": ["007", "", "W_i"]})
    table.to_csv(folder / "tables/basic_small/numbers.csv", index=False)
    page = make_page(folder, config)
    assert not page.find("script")
    assert {text(bold) for bold in page.find_all("b")} == {"The paper", "3.5"}
    assert text(page).count(NASTY) >= 9
    assert_shows(page, config, [claim])
    shown = tables(page, "basic_small")
    assert shown == [[{f"‖W2‖ {NASTY}": a, "basic_small": b} for a, b in (("0.10", "007"), ("NA", ""), (NASTY, "Wi"))]]
    config["figures"]["introduction"]["shows"] = "One.\n\n    Two."
    assert "One. Two." in text(make_page(folder, config))


@pytest.mark.parametrize(
    ("plain", "marked"),
    [
        ("W_j·Ŵ_i", "<i>W</i><sub>j</sub>·<i>Ŵ</i><sub>i</sub>"),
        ("b_i = E[x_i];", "<i>b</i><sub>i</sub> = E[<i>x</i><sub>i</sub>];"),
        ("Σ_{j≠i} W_j", "<i>Σ</i><sub>j≠i</sub> <i>W</i><sub>j</sub>"),
        ("Σ_{i>m} L_0", "<i>Σ</i><sub>i>m</sub> <i>L</i><sub>0</sub>"),
        ("basic_small_linear, m_i", "basic_small_linear, <i>m</i><sub>i</sub>"),
        ("‖W‖_F² at 1-S = 1", "‖W‖<sub>F</sub>² at 1−S\u00a0=\u00a01"),
        ("[2, -½], -x_i and -0.5", "[2, −½], −<i>x</i><sub>i</sub> and −0.5"),
        ("3e-08 or 1.5e+20", "3\u00a0×\u00a010<sup>−8</sup> or 1.5\u00a0×\u00a010<sup>20</sup>"),
        ("S^(n-k), 0.7^i, n - 1", "S<sup>n−k</sup>, 0.7<sup>i</sup>, n − 1"),
        ("80 % and 1.7%", "80\u202f% and 1.7\u202f%"),
        *(
            (word, word)
            for word in ("W_out and b_hidden", "linear_is_pca", "x_i_j", "a_1b", "2_i", "W_{", "a-1, A-D", "2e5", "")
        ),
    ],
)
def test_typesetting(plain: str, marked: str) -> None:
    """Indices, minus signs and powers of ten are set as in print, and identifiers stay whole."""
    parts = notebook.typeset(plain)
    assert "".join(f"<{element}>{part}</{element}>" if element else part for element, part in parts) == marked


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.34567, "0.346"), (1804.2, "1804"), (2.5e-6, "2.5e-06"), (math.nan, "none")],
)
def test_numbers(value: float, shown: str) -> None:
    """A number has three significant digits, or all those before the decimal point."""
    assert notebook.number(value) == shown


def test_parameters(page: BeautifulSoup) -> None:
    """Every value, defaults included, is in one of two columns: the paper states it, or we chose it."""
    wide, five = tables(figures(page)["basic_small"], "chosen by us")[0]
    assert five["stated by the paper"] == "model = relu_output, n = 5, m = 2, density = 1, 0.125"
    for part in ("importance = 0.75^i", "steps = 1234", "batch = 1024", "learning_rate = 0.01", "weight_decay = 0"):
        assert part in five["chosen by us"]
    assert wide["stated by the paper"] == ""
    assert "density = 20 values from 1 to 0.01" in wide["chosen by us"]


@pytest.mark.parametrize(
    ("entry", "key", "shown"),
    [
        ({"relative_density": {"features": [0, 2], "ratio": [0.5, 1]}}, "relative_density", "features 1, 3: 0.5, 1"),
        ({"relative_importance": {"features": [1], "ratio": 4}}, "relative_importance", "features 2: 4"),
        ({"importance": [1, 2, 3]}, "importance", "1, 2, 3"),
        ({"density": 1e-5}, "density", "1e-05"),
        ({"distribution": {"correlated": [[0, 1]]}}, "distribution", "correlated 0+1"),
        ({"model": "relu_hidden", "hidden_bias": True}, "hidden_bias", "True"),
        ({"model": "relu_output", "n": 2, "m": 1, "solver": "exact"}, "steps", None),
    ],
)
def test_ways_to_show_a_parameter(entry: dict[str, Any], key: str, shown: str | None) -> None:
    sweep = Sweep.parse({"model": "linear", "n": 3, "m": 2, "density": 0.5} | entry)
    _, chosen = notebook.describe_parameters(sweep, ())
    assert chosen.get(key) == shown


def test_how_to_make_a_figure(tmp_path: Path) -> None:
    """The command that makes a figure names its scale and its configuration files."""
    config = CONFIG | {"scale": "quick"}
    page = make_page(make_results(tmp_path, config), config, ("my own.yaml", "b.yaml"))
    options = " --config scale=quick --configfile 'my own.yaml' b.yaml"
    for name, part in figures(page).items():
        command = f"snakemake --cores all {tmp_path}/figures/{name}.png" + options
        assert command in [text(code) for code in part.find_all("code")]
    assert "steps = 77" in tables(page, "chosen by us")[0][0]["chosen by us"]


def test_claims_keep_their_text(tmp_path: Path) -> None:
    """Texts such as NA and 007 are shown as written, and an empty note is not shown."""
    claim = ("basic.bias", "basic", "basic_small", "NA", "", "", "reproduced", "reproduced", "", *MORE[:3], "007")
    ((row,),) = tables(make_page(make_results(tmp_path, claims=[claim])), "criteria and evidence")
    assert row["the paper"] == "basic.bias✓ reproducedNASpeaks of trained models."
    assert row["criteria and evidence"] == "007"


def test_provenance(page: BeautifulSoup) -> None:
    """The report lists the models of every experiment, and exactly the jobs that made what is shown."""
    (weights,) = tables(page, "trained on")
    assert [(row["replicates × restarts"], row["models"]) for row in weights] == [
        ("1 × 3", "6"),
        ("4 × 1", "80"),
    ]
    (times,) = tables(page, "seconds")
    assert {row["job"]: row["seconds"] for row in times} == {
        "train/five": "61.5",
        "train/wide": "2.5",
        "train/wide/2-of-4": "1.5",
    }
    assert f"torch {torch.__version__}" in text(page)


def test_what_the_claims_about_a_figure_cost(page: BeautifulSoup) -> None:
    """The parts of an experiment that was trained in parts count with it; nothing was measured or drawn here."""
    (costs,) = tables(page, "training")
    assert [list(row.values()) for row in costs] == [
        ["introduction", "1", "61.5", "0.0", "0.0"],
        ["basic_small", "2", "65.5", "0.0", "0.0"],
        ["basic_large", "1", "4.0", "0.0", "0.0"],
    ]


def test_every_experiment_says_what_it_rests_on(tmp_path: Path) -> None:
    config = copy.deepcopy(CONFIG)
    config["experiments"]["wide"] = {"model": "relu_output", "n": 2, "m": 1, "density": 0.5, "solver": "exact"}
    ((five, wide),) = tables(make_page(make_results(tmp_path, config), config), "points")
    assert list(five.values()) == ["five", "2", "1", "3", "1024", "0.01", "1234"]
    assert list(wide.values()) == ["wide", "1", "1", "1", "exact", "", ""]


def test_mathematics_needs_no_network(page: BeautifulSoup) -> None:
    """The four models are written in MathML with the paper's symbols."""
    (rows,) = tables(page, "hidden layer")
    assert [row["model"] for row in rows] == ["linear", "relu_output", "relu_hidden", "absolute"]
    formulas = [re.sub(r"\s", "", row["output"]) for row in rows]
    assert formulas == ["x′=W⊤h+b", "x′=ReLU(W⊤h+b)", "x′=ReLU(W⊤h+b)", "y′=ReLU(W2h+b)≈|x|"]
    assert "$" not in page.get_text()


def test_sensitivity(tmp_path: Path) -> None:
    """Every variant has its verdicts, and the report counts those that are the same as without variation."""
    claims, (good, bad) = ["introduction.dense", "basic.bias"], ("reproduced", "not reproduced")
    found = {"as configured": (good, bad), "steps halved": (bad, bad), "steps doubled": (good, bad)}
    folder = make_results(tmp_path)
    (folder / "sensitivity").mkdir()
    for k, claim in enumerate(claims):
        rows = [(claim, variant, "1", verdicts[k]) for variant, verdicts in found.items()]
        table = pd.DataFrame(rows, columns=["claim", "variant", "measured", "verdict"])
        table.to_csv(folder / "sensitivity" / f"{claim.partition('.')[0]}.csv", index=False)
    page = make_page(folder, CONFIG | {"sensitivity": claims})
    assert "3 of 4 verdicts are the same" in text(page)
    (rows,) = tables(page, "as configured")
    assert [list(row.values()) for row in rows] == [
        ["introduction.dense", "✓ reproduced", "✗ not reproduced", "the same"],
        ["basic.bias", "✗ not reproduced", "the same", "the same"],
    ]


def test_verdicts_under_other_seeds(tmp_path: Path) -> None:
    """Verdicts that differ too often have a table of their own; without a record there is neither table nor heading."""
    folder = make_results(tmp_path)
    assert tables(make_page(folder), "share") == []
    counted = {
        "introduction.dense": {"reproduced": 10, "corrected": 0},
        "basic.linear_is_pca": {"reproduced": 3, "corrected": 7},
        "basic.gone": {"reproduced": 10, "corrected": 0},
    }
    blank = dict.fromkeys(VERDICTS, 0) | {"expected": "reproduced", "seeds": 10, "numbers": "Loss: 1 < 2"}
    rows = [blank | {"claim": claim} | counts for claim, counts in counted.items()]
    pd.DataFrame(rows, columns=COUNT_COLUMNS).to_csv(tmp_path / "record.csv", index=False)
    page = make_page(folder, record=tmp_path / "record.csv")
    expected = {claim[0]: claim[7] for claim in CLAIMS}["basic.linear_is_pca"]
    ((row,),) = tables(page, "share")
    assert row["claim"] == "basic.linear_is_pca"
    assert row["share"] == {"reproduced": "30 %", "corrected": "70 %"}[expected]
    assert "1 of 2 were always the same" in text(page)


def luminance(colour: str) -> float:
    """Return the relative luminance as in the accessibility guidelines (WCAG 2)."""
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    values = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast() -> None:
    """Words, links and verdicts have a contrast of 4.5 to 1 or more, light and dark, as the guidelines ask."""
    style = TEMPLATE.read_text(encoding="utf-8")
    palettes = [
        dict(re.findall(r"--(\w+): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    light, dark = palettes
    assert light.keys() == dark.keys()
    inks = ("ink", "soft", "link", "met", "missed")
    pairs = [(named[ink], named[ground]) for named in palettes for ink in inks for ground in ("page", "wash")]
    badges = re.findall(r"background: (#\w+); color: (#\w+)", style)
    assert len(badges) == len(notebook.VERDICT_MARKS)
    for pair in [*pairs, *badges]:
        darker, lighter = sorted(map(luminance, pair))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, pair


# Returns the width of every picture and its width on the page, and by how much the page is wider than the window.
LOOK = """async () => {
  document.querySelectorAll("details").forEach(part => part.open = true);
  document.querySelectorAll("img").forEach(image => image.loading = "eager");
  await Promise.all([...document.images].map(image => image.decode().catch(() => 0)));
  const seen = [...document.images].map(image => [image.naturalWidth, image.getBoundingClientRect().width]);
  return [seen, document.documentElement.scrollWidth - innerWidth];
}"""


@dataclass
class Look:
    """A page as chromium shows it."""

    errors: list[str]  # in the console
    pictures: list[list[float]]  # the width of the picture itself, and that on the page
    overflow: float  # by how much the page is wider than the window
    requests: list[str]  # of the page, not those of the browser itself


def look(browser: Any, page: str, folder: Path, width: int = 1200) -> Look:
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    errors, requests = list[str](), list[str]()
    shown = new_page(browser, width)
    shown.on("console", lambda message: errors.append(message.text))
    shown.on("pageerror", lambda error: errors.append(str(error)))
    shown.on("request", lambda request: requests.append(request.url))
    shown.goto(file.as_uri())
    pictures, overflow = shown.evaluate(LOOK)
    return Look(errors, pictures, overflow, [url for url in requests if url.startswith("http")])


@pytest.mark.parametrize("width", [1200, 400])
@pytest.mark.usefixtures("page")
def test_in_a_browser(browser: Any, folder: Path, tmp_path: Path, width: int) -> None:
    """The page shows every picture without errors, requests or scrolling sideways."""
    seen = look(browser, (folder / "report.html").read_text(encoding="utf-8"), tmp_path, width)
    assert (seen.errors, seen.requests) == ([], [])
    assert len(seen.pictures) == 2 * len(CONFIG["figures"]) + 1
    assert all(natural > 0 and shown > 50 for natural, shown in seen.pictures)
    assert seen.overflow <= 0


def test_the_browser_would_tell(browser: Any, tmp_path: Path) -> None:
    """The check finds an error, a request, a missing picture and a page that is too wide."""
    image = "<img src='http://localhost:9/nothing.png'>"
    page = f"<html><body><div style='width: 3000px'>{image}</div><script>nothing()</script></body></html>"
    seen = look(browser, page, tmp_path)
    assert any("nothing is not defined" in error for error in seen.errors)
    assert seen.requests == ["http://localhost:9/nothing.png"]
    assert seen.pictures[0][0] == 0
    assert seen.overflow > 1000
