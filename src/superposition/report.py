"""The parts of the report, as HTML. The notebook in ``report/`` puts them in order.

Everything is read from the results and the configuration: a new figure, claim or section appears by itself.
"""

import base64
import html
import re
from pathlib import Path
from typing import Any

import pandas as pd

from superposition.claims import NOT_AT_THIS_SCALE
from superposition.config import Config
from superposition.provenance import PAPER, commit, machine, sha256, versions
from superposition.sweep import RECIPE
from superposition.weights import Trained

VERDICTS = {"reproduced": "✓", "corrected": "≠", "not reproduced": "✗", NOT_AT_THIS_SCALE: "–"}


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
    """Cells are HTML already."""
    head = "".join(f"<th scope='col'>{cell}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f"<div class='scroll'><table class='{kind}'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


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
    """The results of one scale, ready to be shown."""

    def __init__(self, results: str | Path, config: dict[str, Any]) -> None:
        self.results = Path(results)
        self.config = Config.parse(config)
        self.claims = pd.read_csv(self.results / "claims.csv", dtype=str, keep_default_na=False)

    def title(self) -> str:
        counts = self.claims["verdict"].value_counts()
        words = " · ".join(f"{count} {_badge(verdict)}" for verdict, count in counts.items())
        toc = "".join(
            f"<li><a href='#section-{name}'>{_text(section.title)}</a></li>"
            for name, section in self.config.sections.items()
        )
        return (
            "<h1>Toy Models of Superposition, replicated</h1>"
            f"<p>A replication of <a href='{PAPER}'>Elhage et al., “Toy Models of Superposition” (2022)</a>: every "
            "figure is made again from models trained here, and every claim is judged by a number against a bound "
            "that comes from the paper or from an exact calculation. Where the paper leaves a parameter open, the one "
            f"that was chosen is listed. This is scale <code>{self.config.scale}</code>.</p>"
            f"<p class='counts'>{len(self.claims)} claims: {words}</p>"
            f"<nav aria-label='Contents'><ul>{toc}<li><a href='#provenance'>Provenance</a></li></ul></nav>"
        )

    def summary(self) -> str:
        """One line per claim."""
        rows = [
            [
                f"<a href='#claim-{row.claim}'>{_id(row.claim)}</a>",
                _badge(row.verdict) + ("" if row.verdict in (row.expected, NOT_AT_THIS_SCALE) else " (unexpected)"),
                _prose(row.paper),
                f"<a href='#figure-{row.figure}'>{_id(row.figure)}</a>",
            ]
            for row in self.claims.itertuples()
        ]
        return "<h2 id='summary'>Summary</h2>" + _table(["claim", "verdict", "the paper", "figure"], rows)

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
        figure = self.config.figures[name]
        image = _embedded(self.results / "figures" / f"{name}.svg", "image/svg+xml")
        claims = self.claims[self.claims["figure"] == name]
        whose = "<b>The paper:</b> " if self.config.sections[figure.section].anchor else ""
        target = self.results / "figures" / f"{name}.png"
        scale = "" if self.config.scale == "paper" else f" --config scale={self.config.scale}"
        return (
            f"<section class='figure'><h3 id='figure-{name}'>{_text(figure.title)} <code>{name}</code></h3>"
            f"<figure><img src='{image}' alt='{_text(figure.title)}. {_text(figure.shows)}'>"
            f"<figcaption>{whose}{_prose(figure.shows)}</figcaption></figure>"
            f"{self._animation(name)}{self._claims(claims)}{self._numbers(name)}{self._parameters(figure.experiments)}"
            f"<p>Make this figure alone: <code>snakemake --cores all {target}{scale}</code></p></section>"
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
            unused = RECIPE if sweep.solver == "exact" else ()
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
                    str(len(sweep.points()) * sweep.restarts),
                    _text(Trained.load(path).device),
                    f"<code>{sha256(path)}</code>",
                ]
            )
        return rows

    def _times(self) -> list[list[str]]:
        folder = self.results / "benchmarks"
        jobs = {str(p.relative_to(folder).with_suffix("")): pd.read_csv(p, sep="\t") for p in folder.rglob("*.tsv")}
        # A job of which only the record of an earlier run is there (this one, and the rendering) is left out.
        jobs = {k: v for k, v in sorted(jobs.items()) if k not in ("notebook", "report")}
        rows = [
            [f"<code>{k}</code>", f"{t['s'].iloc[-1]:.1f}", f"{_text(t['max_rss'].iloc[-1])}"] for k, t in jobs.items()
        ]
        total = sum(float(t["s"].iloc[-1]) for t in jobs.values())
        return [*rows, ["<b>sum</b>", f"<b>{total:.1f}</b>", ""]]
