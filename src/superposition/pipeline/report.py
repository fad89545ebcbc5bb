"""The parts of the report as HTML; the notebook in ``report/`` puts them in order.

Everything is read from the results and the configuration, so a new figure, claim or section needs no change here.
"""

import base64
import html
import io
import re
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import latex2mathml.converter
import pandas as pd
from PIL import Image

from superposition.core import archive
from superposition.core.sweep import TRAINING_KEYS
from superposition.pipeline.claims import ERROR, NOT_AT_THIS_SCALE
from superposition.pipeline.config import PAPER_URL, VARIED, Config
from superposition.pipeline.dag import planned_jobs
from superposition.pipeline.identity import commit, machine, sha256, versions

# The hidden layer and the output of each model, in LaTeX.
MODEL_FORMULAS = {
    "linear": (r"h = W x", r"x^{\prime} = W^{\top} h + b"),
    "relu_output": (r"h = W x", r"x^{\prime} = \text{ReLU}(W^{\top} h + b)"),
    "relu_hidden": (r"h = \text{ReLU}(W x)", r"x^{\prime} = \text{ReLU}(W^{\top} h + b)"),
    "absolute": (r"h = \text{ReLU}(W_1 x)", r"y^{\prime} = \text{ReLU}(W_2 h + b) \approx |x|"),
}
LOSS = r"\sum_i I_i {(x_i - x_i^{\prime})}^2"
# Size of a thumbnail in CSS pixels.
THUMBNAIL_SIZE = 170
# The mark of each verdict, in the order in which they are counted.
VERDICT_MARKS = {"reproduced": "✓", "corrected": "≠", "not reproduced": "✗", ERROR: "!", NOT_AT_THIS_SCALE: "–"}


def _escape(value: Any) -> str:
    """Convert a value to text that is safe in HTML."""
    return html.escape(str(value))


def _prose(value: str) -> str:
    """Convert text to HTML, with subscripts for W_i, Σ_k or Σ_{j≠i}."""
    subscript = r"(?<![A-Za-z0-9_])([A-Za-zΣ])_(?:\{([^}]+)\}|([A-Za-z0-9]))(?![A-Za-z0-9_])"
    return re.sub(subscript, lambda m: f"<i>{m[1]}</i><sub>{m[2] or m[3]}</sub>", _escape(value))


def _identifier(name: str) -> str:
    """Format an identifier as code that may be broken into lines between its words."""
    return "<code>" + re.sub(r"([._])", r"\1<wbr>", _escape(name)) + "</code>"


def _table(header: list[str], rows: list[list[str]], kind: str = "") -> str:
    """Format a table.

    On a narrow screen the style sheet shows each row of a table with a ``kind`` as a block, with the name of the column
    before every cell; other tables scroll, with the keyboard too.

    Args:
        header: The names of the columns.
        rows: The cells of each row, as HTML.
        kind: The CSS class of the table.
    """
    head = "".join(f"<th scope='col'>{cell}</th>" for cell in header)
    names = [f" data-column='{_escape(cell)}'" if kind else "" for cell in header]
    body = "".join(
        "<tr>" + "".join(f"<td{name}>{cell}</td>" for name, cell in zip(names, row, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f"<div class='scroll' tabindex='0'><table class='{kind}'><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        "</table></div>"
    )


def _math(formula: str) -> str:
    """Convert LaTeX to MathML, which browsers render without a script."""
    return latex2mathml.converter.convert(formula).replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")


def _thumbnail(path: Path) -> str:
    """Scale a picture down to a thumbnail; return it as a data URI."""
    with Image.open(path) as image:
        small = image.convert("RGB")
        # Twice the size, for screens with two physical pixels per CSS pixel.
        small.thumbnail((2 * THUMBNAIL_SIZE, 2 * THUMBNAIL_SIZE))
        buffer = io.BytesIO()
        small.quantize(64).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _counts(claims: pd.DataFrame) -> str:
    """Count the claims with each verdict."""
    counts = claims["verdict"].value_counts()
    shown = (f"<span class='count'>{counts[v]} {_badge(v)}</span>" for v in VERDICT_MARKS if v in counts)
    return " · ".join(shown)


def _data_uri(path: Path, media_type: str) -> str:
    """Return the contents of a file as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _badge(verdict: str) -> str:
    """Format a verdict with its mark and colour."""
    return f"<span class='verdict {verdict.replace(' ', '-')}'>{VERDICT_MARKS[verdict]} {verdict}</span>"


def _compact(values: tuple | list) -> str:
    """Format the values of a list, or their number and range if there are many."""
    if len(values) > 12:
        return f"{len(values)} values from {_value(values[0])} to {_value(values[-1])}"
    return ", ".join(map(_value, values))


def _value(value: Any) -> str:
    """Format the value of a parameter briefly."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple | list):
        return _compact(value)
    if hasattr(value, "ratio"):
        return f"features {_compact([i + 1 for i in value.features])}: {_compact(value.ratio)}"
    return _escape(getattr(value, "name", value))


class Report:
    """The report on the results of one scale.

    Args:
        results: The results folder, such as ``results/paper``.
        config: The contents of ``config.yaml``, with everything that was merged into it.
        configfiles: The configuration files that were merged into it.
    """

    def __init__(self, results: str | Path, config: dict[str, Any], configfiles: Sequence[str] = ()) -> None:
        self.results = Path(results)
        self.config = Config.parse(config)
        self.options = [] if self.config.scale == "paper" else ["--config", f"scale={self.config.scale}"]
        self.options += ["--configfile", *configfiles] if configfiles else []
        self.claims = pd.read_csv(self.results / "claims.csv", dtype=str, keep_default_na=False)

    def title(self) -> str:
        """Return the title, an introduction and the table of contents."""
        sections = {f"section-{name}": section.title for name, section in self.config.sections.items()}
        parts = {"summary": "Summary", "corrections": "Where the paper needs a correction", "setting": "The setting"}
        parts |= sections | {"certainty": "How certain are the verdicts?", "provenance": "Provenance"}
        contents = "".join(f"<li><a href='#{anchor}'>{_escape(title)}</a></li>" for anchor, title in parts.items())
        return (
            "<h1>Toy Models of Superposition, replicated</h1>"
            f"<p>A replication of <a href='{PAPER_URL}'>Elhage et al., “Toy Models of Superposition” (2022)</a>. Every "
            "figure is drawn from models trained here, and every claim is judged by comparing a measured number with a "
            "bound that comes from the paper or from an exact calculation. Where the paper leaves a parameter open, "
            f"our choice is listed. This is the report at scale <code>{self.config.scale}</code>.</p>"
            f"<nav aria-label='Contents'><ul>{contents}</ul></nav>"
        )

    def summary(self) -> str:
        """Return the counts, a thumbnail of every figure, and one line per claim."""
        models = sum(sweep.models for sweep in self.config.sweeps.values())
        seconds = sum(float(job["s"].iloc[-1]) for job in self._benchmarks.values())
        # No other job runs by now, so all cores are free to scale the pictures.
        with ThreadPoolExecutor() as pool:
            cards = "".join(pool.map(self._card, self.config.figures))
        rows = [
            [
                f"<a href='#claim-{row.claim}'>{_identifier(row.claim)}</a>",
                _badge(row.verdict) + ("" if row.verdict in (row.expected, NOT_AT_THIS_SCALE) else " (unexpected)"),
                _prose(row.paper),
                f"<a href='#figure-{row.figure}'>{_identifier(row.figure)}</a>",
            ]
            for row in self.claims.itertuples()
        ]
        return (
            "<h2 id='summary'>Summary</h2>"
            f"<p class='counts'>{len(self.claims)} claims: {_counts(self.claims)}</p>"
            f"<p>{len(self.config.figures)} figures from {models:,} models in {len(self.config.sweeps)} experiments. "
            f"All jobs together took {seconds / 60:.1f} minutes, on {_escape(machine())}; the models were trained on "
            f"{_escape(' and '.join(sorted(set(self._devices.values()))))}.</p>"
            f"<div class='cards'>{cards}</div>" + _table(["claim", "verdict", "the paper", "figure"], rows, "lines")
        )

    def _card(self, name: str) -> str:
        """Return a thumbnail of a figure with the verdicts on its claims."""
        image = _thumbnail(self.results / "figures" / f"{name}.png")
        counts = _counts(self.claims[self.claims["figure"] == name])
        title = _escape(self.config.figures[name].title)
        return (
            f"<a class='card' href='#figure-{name}'><img src='{image}' alt='' loading='lazy'>"
            f"<span>{title}</span><span class='counts'>{counts}</span></a>"
        )

    def corrections(self) -> str:
        """Return the claims that need a correction, with the evidence."""
        rows = [
            [
                f"<a href='#claim-{row.claim}'>{_identifier(row.claim)}</a>",
                _prose(row.paper),
                f"<p>{_prose(row.note)}</p><p class='note'>Measured: {_prose(row.measured)}</p>",
            ]
            for row in self.claims[self.claims["verdict"] == "corrected"].itertuples()
        ]
        table = _table(["claim", "the paper", "correction and evidence"], rows, "corrections")
        return "<h2 id='corrections'>Where the paper needs a correction</h2>" + (
            table if rows else "<p>None of the claims judged at this scale needs one.</p>"
        )

    def setting(self) -> str:
        """Return the models and the loss, for readers who do not know the paper."""
        rows = [[_escape(name), *map(_math, formulas)] for name, formulas in MODEL_FORMULAS.items()]
        return (
            f"<h2 id='setting'><a href='{PAPER_URL}#demonstrating-setup'>The setting</a></h2>"
            f"<p>A feature {_math('x_i')} is 0 with probability {_math('S')}, and otherwise uniform on "
            f"{_math('[0, 1]')}; {_math('1-S')} is its density and {_math('I_i')} its importance. Models map "
            f"{_math('n')} features to {_math('m')} hidden dimensions and back. They are trained to minimise the mean "
            f"of {_math(LOSS)}. The column {_math('W_i')} of {_math('W')} is the direction of feature {_math('i')}, "
            "which is in superposition if the directions of other features are not orthogonal to it.</p>"
            + _table(["model", "hidden layer", "output"], rows)
        )

    def sections(self) -> list[str]:
        """Return every section with its figures."""
        parts = []
        for name, section in self.config.sections.items():
            title = _escape(section.title)
            head = f"<a href='{PAPER_URL}{section.anchor}'>{title}</a>" if section.anchor else title
            figures = "".join(self.figure(figure) for figure in self.config.figures_of(name))
            parts.append(f"<h2 id='section-{name}'>{head}</h2>{figures}")
        return parts

    def figure(self, name: str) -> str:
        """Return a figure with what the paper says about it, its claims, numbers and parameters."""
        figure = self.config.figures[name]
        image = _data_uri(self.results / "figures" / f"{name}.svg", "image/svg+xml")
        claims = self.claims[self.claims["figure"] == name]
        section = self.config.sections[figure.section]
        cited = f"<a href='{PAPER_URL}{section.anchor}'>{_escape(section.title)}</a>"
        source = f"<b>The paper</b> ({cited}): " if section.anchor else ""
        alone = ["snakemake", "--cores", "all", f"{self.results}/figures/{name}.png", *self.options]
        return (
            f"<section class='figure'><h3 id='figure-{name}'>{_escape(figure.title)} <code>{name}</code></h3>"
            f"<figure><img src='{image}' alt='{_escape(figure.title)}. {_escape(figure.shows)}'>"
            f"<figcaption>{source}{_prose(figure.shows)}</figcaption></figure>"
            f"{self._animation(name)}{self._claims(claims)}{self._numbers(name)}{self._parameters(figure.experiments)}"
            f"<p>Make this figure alone: <code>{_escape(shlex.join(alone))}</code></p></section>"
        )

    def _animation(self, name: str) -> str:
        """Return the animation of a figure, or nothing if it is not animated."""
        if not self.config.figures[name].animated:
            return ""
        image = _data_uri(self.results / "figures" / f"{name}.gif", "image/gif")
        return (
            "<details class='animation'><summary>Animation</summary>"
            f"<img src='{image}' alt='{_escape(self.config.figures[name].title)}, in motion.'></details>"
        )

    def _claims(self, claims: pd.DataFrame) -> str:
        """Return the table of the claims of a figure, or nothing if it has none."""
        if claims.empty:
            return ""
        rows = [
            [
                f"<span id='claim-{row.claim}'>{_identifier(row.claim)}</span><br>{_badge(row.verdict)}",
                _prose(row.paper),
                _prose(row.criterion),
                _prose(row.measured) + (f"<p class='note'>{_prose(row.note)}</p>" if row.note else ""),
            ]
            for row in claims.itertuples()
        ]
        return _table(["claim", "the paper", "criterion", "measured"], rows, "claims")

    def _numbers(self, figure: str) -> str:
        """Return the figure's table ``numbers``, which holds what its claims do not say, if there is one."""
        path = self.results / "tables" / figure / "numbers.csv"
        if not path.exists():
            return ""
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        return _table([_prose(name) for name in table], [[_prose(cell) for cell in row] for row in table.to_numpy()])

    def _parameters(self, experiments: tuple[str, ...]) -> str:
        """Return the parameters of experiments: those that the paper states, and those that we chose."""
        if not experiments:
            return ""
        rows = []
        for name in experiments:
            sweep, from_paper = self.config.sweeps[name], self.config.from_paper[name]
            unused = TRAINING_KEYS if sweep.solver == "exact" else ()
            values = {key: getattr(sweep, key) for key in type(sweep).model_fields if key not in unused}
            shown = {k: _value(v) for k, v in values.items() if v is not None and v is not False}
            columns = [
                ", ".join(f"{_escape(k)} = {v}" for k, v in shown.items() if (k in from_paper) == stated)
                for stated in (True, False)
            ]
            rows.append([f"<code>{name}</code>", *columns])
        return (
            "<details><summary>Parameters</summary>"
            + _table(["experiment", "stated by the paper", "chosen by us"], rows)
            + "</details>"
        )

    def certainty(self) -> str:
        """Return how verdicts change with the training configuration, and the seeds and restarts of experiments."""
        rows = [
            [f"<code>{name}</code>", *map(str, (sweep.size // sweep.seeds, sweep.seeds, sweep.restarts))]
            + (["exact", "", ""] if sweep.solver == "exact" else [_value(getattr(sweep, key)) for key in VARIED])
            for name, sweep in self.config.sweeps.items()
        ]
        return (
            "<h2 id='certainty'>How certain are the verdicts?</h2>"
            "<p>The bound of every claim comes from the paper or from an exact calculation, and is given with the "
            "claim. At every point of a grid the restart with the lowest loss counts. The loss is exact where it can "
            "be computed, and otherwise the mean over one large sample. Seeds are replicates with their own data.</p>"
            + self._sensitivity()
            + "<details><summary>Seeds, restarts and training configuration of every experiment</summary>"
            + _table(["experiment", "points", "seeds", "restarts", *(key.replace("_", " ") for key in VARIED)], rows)
            + "</details>"
        )

    def _sensitivity(self) -> str:
        """Return the verdicts under every variant of the training configuration."""
        paths = [self.results / "sensitivity" / f"{section}.csv" for section in self.config.sensitivity]
        if not paths:
            return (
                "<p>The report at scale paper shows the headline claims judged again with other training "
                "configurations.</p>"
            )
        table = pd.concat([pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths])
        reference = table["variant"].iloc[0]
        expected = table[table["variant"] == reference].set_index("claim")["verdict"]
        others = table[table["variant"] != reference]
        same = int((others["verdict"] == others["claim"].map(expected)).sum())
        variants = list(dict.fromkeys(table["variant"]))
        rows = [
            [f"<a href='#claim-{claim}'>{_identifier(claim)}</a>", _badge(found[reference])]
            + ["the same" if found[variant] == found[reference] else _badge(found[variant]) for variant in variants[1:]]
            for claim, verdicts in table.groupby("claim", sort=False)
            for found in [verdicts.set_index("variant")["verdict"]]
        ]
        return (
            "<p>The paper does not say how models are trained. These claims were judged again, on the small grids of "
            f"scale quick, with batch size, learning rate and steps halved and doubled: {same} of {len(others)} "
            "verdicts are the same as with the training configuration as it is.</p>"
            + _table(["claim", *variants], rows, "lines")
        )

    def provenance(self) -> str:
        """Return where the numbers come from: code, versions, machine, weights and wall times."""
        facts = [
            ["commit", _escape(commit())],
            ["Python and packages", _escape(", ".join(f"{name} {version}" for name, version in versions().items()))],
            ["machine", _escape(machine())],
            ["scale", _escape(self.config.scale)],
        ]
        return (
            "<h2 id='provenance'>Provenance</h2>"
            + _table(["", ""], facts)
            + "<h3>Weights</h3>"
            + _table(["experiment", "seeds × restarts", "models", "trained on", "SHA-256"], self._weights())
            + "<h3>Wall time</h3>"
            + _table(["job", "seconds", "peak memory, MB"], self._times())
        )

    def _weights(self) -> list[list[str]]:
        """Return one row for the weights of each experiment."""
        rows = []
        for name in self.config.sweeps:
            sweep, path = self.config.sweeps[name], self.results / "weights" / f"{name}.safetensors"
            seeds = f"seed 0 to {sweep.seeds - 1}" if sweep.seeds > 1 else "seed 0"
            rows.append(
                [
                    f"<code>{name}</code>",
                    f"{seeds} × {sweep.restarts}",
                    str(sweep.models),
                    _escape(self._devices[name]),
                    f"<code>{sha256(path)}</code>",
                ]
            )
        return rows

    @cached_property
    def _devices(self) -> dict[str, str]:
        """The devices that the models of each experiment were trained on."""
        files = {name: self.results / "weights" / f"{name}.safetensors" for name in self.config.sweeps}
        return {name: archive.read(path)[0].device for name, path in files.items()}

    @cached_property
    def _benchmarks(self) -> dict[str, pd.DataFrame]:
        """The benchmarks of the jobs before this one, and of the parts that they were split into, by name."""
        folder, later = self.results / "benchmarks", ("notebook", "report")
        # The folder may also hold benchmarks of earlier runs with other experiments.
        names = {job.name for job in planned_jobs(self.config) if job.rule not in later}
        found = {p.relative_to(folder).with_suffix(""): p for p in sorted(folder.rglob("*.tsv"))}
        return {str(k): pd.read_csv(p, sep="\t") for k, p in found.items() if names & {str(k), str(k.parent)}}

    def _times(self) -> list[list[str]]:
        """Return the wall time and the peak memory of every job."""
        rows = [
            [f"<code>{name}</code>", f"{job['s'].iloc[-1]:.1f}", f"{_escape(job['max_rss'].iloc[-1])}"]
            for name, job in self._benchmarks.items()
        ]
        total = sum(float(job["s"].iloc[-1]) for job in self._benchmarks.values())
        return [*rows, ["<b>sum</b>", f"<b>{total:.1f}</b>", ""]]
