"""The parts of the report, as HTML. The notebook in ``report/`` puts them in order.

Everything is read from the results and the configuration: a new figure, claim or section appears by itself.
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
from superposition.pipeline.config import PAPER, VARIED, Config
from superposition.pipeline.dag import jobs
from superposition.pipeline.identity import commit, machine, sha256, versions

MODELS = {  # hidden layer, output
    "linear": (r"h = W x", r"x^{\prime} = W^{\top} h + b"),
    "relu_output": (r"h = W x", r"x^{\prime} = \text{ReLU}(W^{\top} h + b)"),
    "relu_hidden": (r"h = \text{ReLU}(W x)", r"x^{\prime} = \text{ReLU}(W^{\top} h + b)"),
    "absolute": (r"h = \text{ReLU}(W_1 x)", r"y^{\prime} = \text{ReLU}(W_2 h + b) \approx |x|"),
}
LOSS = r"\sum_i I_i {(x_i - x_i^{\prime})}^2"
CARD = 170  # the width of a thumbnail
VERDICTS = {"reproduced": "✓", "corrected": "≠", "not reproduced": "✗", ERROR: "!", NOT_AT_THIS_SCALE: "–"}


def _text(value: Any) -> str:
    return html.escape(str(value))


def _prose(value: str) -> str:
    """Text in which W_i, Σ_k or Σ_{j≠i} show as subscripts."""
    subscript = r"(?<![A-Za-z0-9_])([A-Za-zΣ])_(?:\{([^}]+)\}|([A-Za-z0-9]))(?![A-Za-z0-9_])"
    return re.sub(subscript, lambda m: f"<i>{m[1]}</i><sub>{m[2] or m[3]}</sub>", _text(value))


def _id(name: str) -> str:
    """An identifier that may break where its words end."""
    return "<code>" + re.sub(r"([._])", r"\1<wbr>", _text(name)) + "</code>"


def _table(header: list[str], rows: list[list[str]], kind: str = "") -> str:
    """Cells are HTML already. On a narrow screen a table of a kind shows each row as a block, with the column's name
    before a cell; the others scroll, with the keyboard too."""
    head = "".join(f"<th scope='col'>{cell}</th>" for cell in header)
    names = [f" data-column='{_text(cell)}'" if kind else "" for cell in header]
    body = "".join(
        "<tr>" + "".join(f"<td{name}>{cell}</td>" for name, cell in zip(names, row, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f"<div class='scroll' tabindex='0'><table class='{kind}'><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        "</table></div>"
    )


def _math(formula: str) -> str:
    """LaTeX as MathML, which browsers show without help."""
    return latex2mathml.converter.convert(formula).replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")


def _thumbnail(path: Path) -> str:
    """A picture at the size of a card, as an address."""
    with Image.open(path) as image:
        small = image.convert("RGB")
        small.thumbnail((2 * CARD, 2 * CARD))  # for screens that have two dots for one
        written = io.BytesIO()
        small.quantize(64).save(written, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"


def _counts(claims: pd.DataFrame) -> str:
    """How many claims have which verdict."""
    counts = claims["verdict"].value_counts()
    shown = (f"<span class='count'>{counts[v]} {_badge(v)}</span>" for v in VERDICTS if v in counts)
    return " · ".join(shown)


def _embedded(path: Path, kind: str) -> str:
    """A file as an address that needs no other file."""
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _badge(verdict: str) -> str:
    return f"<span class='verdict {verdict.replace(' ', '-')}'>{VERDICTS[verdict]} {verdict}</span>"


def _compact(values: tuple | list) -> str:
    if len(values) > 12:
        return f"{len(values)} values from {_value(values[0])} to {_value(values[-1])}"
    return ", ".join(map(_value, values))


def _value(value: Any) -> str:
    """A parameter's value, short."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple | list):
        return _compact(value)
    if hasattr(value, "decay"):
        return f"{value.decay:g}^i"
    if hasattr(value, "ratio"):
        return f"features {_compact([i + 1 for i in value.features])}: {_compact(value.ratio)}"
    return _text(getattr(value, "name", value))


class Report:
    """The results of one scale, ready to be shown. ``configfiles``: what was merged into ``config.yaml``."""

    def __init__(self, results: str | Path, config: dict[str, Any], configfiles: Sequence[str] = ()) -> None:
        self.results = Path(results)
        self.config = Config.parse(config)
        self.options = [] if self.config.scale == "paper" else ["--config", f"scale={self.config.scale}"]
        self.options += ["--configfile", *configfiles] if configfiles else []
        self.claims = pd.read_csv(self.results / "claims.csv", dtype=str, keep_default_na=False)

    def title(self) -> str:
        """What this is, and the contents of the page."""
        sections = {f"section-{name}": section.title for name, section in self.config.sections.items()}
        parts = {"summary": "Summary", "corrections": "Where the paper needs a correction", "setting": "The setting"}
        parts |= sections | {"certainty": "How sure are we", "provenance": "Provenance"}
        contents = "".join(f"<li><a href='#{anchor}'>{_text(title)}</a></li>" for anchor, title in parts.items())
        return (
            "<h1>Toy Models of Superposition, replicated</h1>"
            f"<p>A replication of <a href='{PAPER}'>Elhage et al., “Toy Models of Superposition” (2022)</a>: every "
            "figure is made again from models trained here, and every claim is judged by a number against a bound "
            "that comes from the paper or from an exact calculation. Where the paper leaves a parameter open, the one "
            f"that was chosen is listed. This is scale <code>{self.config.scale}</code>.</p>"
            f"<nav aria-label='Contents'><ul>{contents}</ul></nav>"
        )

    def summary(self) -> str:
        """The counts, the figures at a glance, and one line per claim."""
        models = sum(sweep.models for sweep in self.config.sweeps.values())
        seconds = sum(float(job["s"].iloc[-1]) for job in self._jobs.values())
        with ThreadPoolExecutor() as pool:  # pictures are read and written at once; nothing else runs by now
            cards = "".join(pool.map(self._card, self.config.figures))
        rows = [
            [
                f"<a href='#claim-{row.claim}'>{_id(row.claim)}</a>",
                _badge(row.verdict) + ("" if row.verdict in (row.expected, NOT_AT_THIS_SCALE) else " (unexpected)"),
                _prose(row.paper),
                f"<a href='#figure-{row.figure}'>{_id(row.figure)}</a>",
            ]
            for row in self.claims.itertuples()
        ]
        return (
            "<h2 id='summary'>Summary</h2>"
            f"<p class='counts'>{len(self.claims)} claims: {_counts(self.claims)}</p>"
            f"<p>{len(self.config.figures)} figures from {models:,} models in {len(self.config.sweeps)} experiments. "
            f"All jobs together took {seconds / 60:.1f} minutes, on {_text(machine())}; the models were trained on "
            f"{_text(' and '.join(sorted(set(self._devices.values()))))}.</p>"
            f"<div class='cards'>{cards}</div>" + _table(["claim", "verdict", "the paper", "figure"], rows, "lines")
        )

    def _card(self, name: str) -> str:
        """A figure at a glance, with the verdicts on its claims."""
        image = _thumbnail(self.results / "figures" / f"{name}.png")
        counts = _counts(self.claims[self.claims["figure"] == name])
        title = _text(self.config.figures[name].title)
        return (
            f"<a class='card' href='#figure-{name}'><img src='{image}' alt='' loading='lazy'>"
            f"<span>{title}</span><span class='counts'>{counts}</span></a>"
        )

    def corrections(self) -> str:
        """The claims whose statement needs one, with the evidence."""
        rows = [
            [
                f"<a href='#claim-{row.claim}'>{_id(row.claim)}</a>",
                _prose(row.paper),
                f"<p>{_prose(row.note)}</p><p class='note'>Measured: {_prose(row.measured)}</p>",
            ]
            for row in self.claims[self.claims["verdict"] == "corrected"].itertuples()
        ]
        table = _table(["claim", "the paper", "what it needs, and the evidence"], rows, "corrections")
        return "<h2 id='corrections'>Where the paper needs a correction</h2>" + (
            table if rows else "<p>Nowhere, as far as the claims were judged at this scale.</p>"
        )

    def setting(self) -> str:
        """The models and what is minimised, for who has not read the paper."""
        rows = [[_text(name), *map(_math, formulas)] for name, formulas in MODELS.items()]
        return (
            f"<h2 id='setting'><a href='{PAPER}#demonstrating-setup'>The setting</a></h2>"
            f"<p>A feature {_math('x_i')} is 0 with probability {_math('S')}, and else uniform on {_math('[0, 1]')}; "
            f"{_math('1-S')} is its density, {_math('I_i')} its importance. Models map {_math('n')} features to "
            f"{_math('m')} hidden dimensions and back. What is minimised is the mean of "
            f"{_math(LOSS)}. {_math('W_i')}, a column of {_math('W')}, is the direction of feature "
            f"{_math('i')}; it is in superposition where others are not orthogonal to it.</p>"
            + _table(["model", "hidden layer", "output"], rows)
        )

    def sections(self) -> list[str]:
        """Every section: its figures, and what they show of its claims."""
        parts = []
        for name, section in self.config.sections.items():
            title = _text(section.title)
            head = f"<a href='{PAPER}{section.anchor}'>{title}</a>" if section.anchor else title
            figures = "".join(self.figure(figure) for figure in self.config.figures_of(name))
            parts.append(f"<h2 id='section-{name}'>{head}</h2>{figures}")
        return parts

    def figure(self, name: str) -> str:
        """A figure beside what the paper says of it, its claims, numbers and parameters."""
        figure = self.config.figures[name]
        image = _embedded(self.results / "figures" / f"{name}.svg", "image/svg+xml")
        claims = self.claims[self.claims["figure"] == name]
        section = self.config.sections[figure.section]
        cited = f"<a href='{PAPER}{section.anchor}'>{_text(section.title)}</a>"
        whose = f"<b>The paper</b> ({cited}): " if section.anchor else ""
        alone = ["snakemake", "--cores", "all", f"{self.results}/figures/{name}.png", *self.options]
        return (
            f"<section class='figure'><h3 id='figure-{name}'>{_text(figure.title)} <code>{name}</code></h3>"
            f"<figure><img src='{image}' alt='{_text(figure.title)}. {_text(figure.shows)}'>"
            f"<figcaption>{whose}{_prose(figure.shows)}</figcaption></figure>"
            f"{self._animation(name)}{self._claims(claims)}{self._numbers(name)}{self._parameters(figure.experiments)}"
            f"<p>Make this figure alone: <code>{_text(shlex.join(alone))}</code></p></section>"
        )

    def _animation(self, name: str) -> str:
        if not self.config.figures[name].animated:
            return ""
        image = _embedded(self.results / "figures" / f"{name}.gif", "image/gif")
        return (
            "<details class='animation'><summary>Animation</summary>"
            f"<img src='{image}' alt='{_text(self.config.figures[name].title)}, in motion.'></details>"
        )

    def _claims(self, claims: pd.DataFrame) -> str:
        if claims.empty:
            return ""
        rows = [
            [
                f"<span id='claim-{row.claim}'>{_id(row.claim)}</span><br>{_badge(row.verdict)}",
                _prose(row.paper),
                _prose(row.criterion),
                _prose(row.measured) + (f"<p class='note'>{_prose(row.note)}</p>" if row.note else ""),
            ]
            for row in claims.itertuples()
        ]
        return _table(["claim", "the paper", "criterion", "measured"], rows, "claims")

    def _numbers(self, figure: str) -> str:
        """The figure's table ``numbers``, where it has one: what its claims do not say."""
        path = self.results / "tables" / figure / "numbers.csv"
        if not path.exists():
            return ""
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        return _table([_prose(name) for name in table], [[_prose(cell) for cell in row] for row in table.to_numpy()])

    def _parameters(self, experiments: tuple[str, ...]) -> str:
        if not experiments:
            return ""
        rows = []
        for name in experiments:
            sweep, stated = self.config.sweeps[name], self.config.stated[name]
            unused = TRAINING_KEYS if sweep.solver == "exact" else ()
            values = {key: getattr(sweep, key) for key in type(sweep).model_fields if key not in unused}
            shown = {k: _value(v) for k, v in values.items() if v is not None and v is not False}
            both = [
                ", ".join(f"{_text(k)} = {v}" for k, v in shown.items() if (k in stated) == of_paper)
                for of_paper in (True, False)
            ]
            rows.append([f"<code>{name}</code>", *both])
        return (
            "<details><summary>Parameters</summary>"
            + _table(["experiment", "stated by the paper", "chosen by us"], rows)
            + "</details>"
        )

    def certainty(self) -> str:
        """Seeds and restarts of every experiment, and what happens to verdicts if models are trained in other ways."""
        rows = [
            [f"<code>{name}</code>", *map(str, (sweep.size // sweep.seeds, sweep.seeds, sweep.restarts))]
            + (["exact", "", ""] if sweep.solver == "exact" else [_value(getattr(sweep, key)) for key in VARIED])
            for name, sweep in self.config.sweeps.items()
        ]
        return (
            "<h2 id='certainty'>How sure are we</h2>"
            "<p>The bound of every claim comes from the paper or from an exact calculation, and stands with it. "
            "At every point of a grid the best of the restarts counts, by a loss that is exact where it can be and "
            "else the mean over one large draw; seeds are replicates with data of their own.</p>"
            + self._sensitivity()
            + "<details><summary>Seeds, restarts and recipe of every experiment</summary>"
            + _table(["experiment", "points", "seeds", "restarts", *(key.replace("_", " ") for key in VARIED)], rows)
            + "</details>"
        )

    def _sensitivity(self) -> str:
        paths = [self.results / "sensitivity" / f"{section}.csv" for section in self.config.sensitivity]
        if not paths:
            return "<p>With what recipes the headline claims were judged again is in the report of scale paper.</p>"
        table = pd.concat([pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths])
        start = table["variant"].iloc[0]
        first = table[table["variant"] == start].set_index("claim")["verdict"]
        others = table[table["variant"] != start]
        same = int((others["verdict"] == others["claim"].map(first)).sum())
        variants = list(dict.fromkeys(table["variant"]))
        rows = [
            [f"<a href='#claim-{claim}'>{_id(claim)}</a>", _badge(found[start])]
            + ["the same" if found[variant] == found[start] else _badge(found[variant]) for variant in variants[1:]]
            for claim, verdicts in table.groupby("claim", sort=False)
            for found in [verdicts.set_index("variant")["verdict"]]
        ]
        return (
            "<p>The paper states no recipe. These claims were judged again, on the small grids of scale quick, with "
            f"batch size, learning rate and steps halved and doubled: {same} of {len(others)} verdicts are those of "
            "the recipe as configured.</p>" + _table(["claim", *variants], rows, "lines")
        )

    def provenance(self) -> str:
        """Where the numbers come from: code, versions, machine, wall times, checksums."""
        facts = [
            ["commit", _text(commit())],
            ["Python and packages", _text(", ".join(f"{name} {version}" for name, version in versions().items()))],
            ["machine", _text(machine())],
            ["scale", _text(self.config.scale)],
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
        rows = []
        for name in self.config.sweeps:
            sweep, path = self.config.sweeps[name], self.results / "weights" / f"{name}.safetensors"
            seeds = f"seed 0 to {sweep.seeds - 1}" if sweep.seeds > 1 else "seed 0"
            rows.append(
                [
                    f"<code>{name}</code>",
                    f"{seeds} × {sweep.restarts}",
                    str(sweep.models),
                    _text(self._devices[name]),
                    f"<code>{sha256(path)}</code>",
                ]
            )
        return rows

    @cached_property
    def _devices(self) -> dict[str, str]:
        """What the models of every experiment were trained on."""
        files = {name: self.results / "weights" / f"{name}.safetensors" for name in self.config.sweeps}
        return {name: archive.read(path)[0].device for name, path in files.items()}

    @cached_property
    def _jobs(self) -> dict[str, pd.DataFrame]:
        """The benchmarks of all jobs before this one, by name, and of the parts that they were split into."""
        folder, after = self.results / "benchmarks", ("notebook", "report")
        names = {job.name for job in jobs(self.config) if job.rule not in after}  # others there are of earlier runs
        found = {p.relative_to(folder).with_suffix(""): p for p in sorted(folder.rglob("*.tsv"))}
        return {str(k): pd.read_csv(p, sep="\t") for k, p in found.items() if names & {str(k), str(k.parent)}}

    def _times(self) -> list[list[str]]:
        rows = [
            [f"<code>{name}</code>", f"{job['s'].iloc[-1]:.1f}", f"{_text(job['max_rss'].iloc[-1])}"]
            for name, job in self._jobs.items()
        ]
        total = sum(float(job["s"].iloc[-1]) for job in self._jobs.values())
        return [*rows, ["<b>sum</b>", f"<b>{total:.1f}</b>", ""]]
