"""The notebook of the report, made from a template and the results, and what its cells call.

Everything is read from the results and the configuration, so a new figure, claim or section needs no change here.
"""

import html
import math
import re
import shlex
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, SupportsFloat

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
from IPython.display import Image
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from superposition.core import archive
from superposition.core.experiment.sweep import TRAINING_KEYS, Sweep
from superposition.pipeline import files, stages
from superposition.pipeline.configuration.config import Config
from superposition.pipeline.configuration.sections import Figure
from superposition.pipeline.explorer.addresses import addresses
from superposition.pipeline.judging.claims import ERROR, NOT_AT_THIS_SCALE, PAPER_URL
from superposition.pipeline.record.history import commit, trace_jobs, versions
from superposition.pipeline.record.machine import machine
from superposition.pipeline.robustness import FIRM_SHARE, agreement, count_seeds

FigureTables = dict[str, pd.DataFrame]
ClaimRow = dict[str, str]

# What the certificate of the best known models says about every figure (see docs/optimality.md).
CERTIFICATE = "optimality_by_figure.csv"
# A share that rounds to 0.00 %.
NEGLIGIBLE = 0.00005
# A letter with a subscript, such as W_i or Σ_{j≠i}.
SUBSCRIPT = r"[A-Za-zΣŴ]_(?:\{[^}]+\}|[A-Za-z0-9])(?![A-Za-z0-9_])"
# The mark of each verdict, in the order in which they are counted.
VERDICT_MARKS = {
    "reproduced": "✓",
    "corrected": "≠",
    "not reproduced": "✗",
    "described": "○",
    ERROR: "!",
    NOT_AT_THIS_SCALE: "–",
}


# What the cells of the notebook call


class Results:
    """The results in a folder, as the notebook shows them.

    Args:
        folder: The results folder, such as ``results/paper``.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @cached_property
    def claims(self) -> pd.DataFrame:
        """The claims, as text."""
        return pd.read_csv(self.folder / "claims.csv", dtype=str, keep_default_na=False)

    @cached_property
    def criteria(self) -> pd.DataFrame:
        """The numbers that were compared with bounds."""
        return pd.read_csv(self.folder / "criteria.csv")

    def tables(self, figure: str) -> FigureTables:
        """Read the tables of a figure, by name."""
        return files.read(self.folder / "tables" / figure)

    def show(self, figure: str, draw: Callable[[FigureTables], Any], data: FigureTables) -> Any:
        """Show the stored drawing of a figure if the data are those of its tables; otherwise draw them."""
        stored = self.tables(figure)
        if data.keys() == stored.keys() and all(data[name].equals(table) for name, table in stored.items()):
            return Image(url=f"{self.folder}/figures/{figure}.svg", alt=f"The figure {figure}, described below.")
        drawing = draw(data)
        # An open figure would be shown a second time, at the end of the cell.
        plt.close(drawing)
        return drawing


# The notebook


def build_notebook(
    text: Path, results: Path, config: Config, configfiles: Sequence[str] = (), record: Path | None = None
) -> nbformat.NotebookNode:
    """Build the notebook from its text.

    Args:
        text: The template.
        results: The results folder.
        config: The configuration of the run.
        configfiles: The configuration files that were merged into ``config.yaml``.
        record: The verdicts under other seeds that are on record for the scale, if there are any.
    """
    environment = Environment(
        loader=FileSystemLoader(text.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {"number": number, "typeset": typeset, "tally": tally, "of": of_figure}
    environment.filters |= {"percent": percent, "shortened": shortened}
    environment.tests["unexpected"] = is_unexpected
    contents = _contents(results, config, configfiles) | _robustness(record, results)
    source = environment.get_template(text.name).render(contents)
    cells = []
    for part in re.split(r"^\+\+\+$|^(```python\n.*?\n```)$", source, flags=re.MULTILINE | re.DOTALL):
        if part and part.startswith("```python\n"):
            cells.append(new_code_cell(html.unescape(part.removeprefix("```python\n").removesuffix("\n```"))))
        elif part and part.strip():
            cells.append(new_markdown_cell(re.sub(r"\n{3,}", "\n\n", part.strip())))
    next(cell for cell in cells if cell.cell_type == "code").metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def _contents(results: Path, config: Config, configfiles: Sequence[str]) -> dict[str, Any]:
    """Return what the template shows."""
    options = [] if config.scale == "paper" else ["--config", f"scale={config.scale}"]
    options += ["--configfile", *configfiles] if configfiles else []
    numbers = {figure: results / "tables" / figure / "numbers.csv" for figure in config.figures}
    weights = {name: results / "weights" / f"{name}.safetensors" for name in config.sweeps}
    shown = [f"figures/{name}.{kind}" for name in config.figures for kind in ("svg", "gif")]
    shown += ["claims.csv", CERTIFICATE, *(f"sensitivity/{section}.csv" for section in config.sensitivity)]
    jobs = trace_jobs(results, [str(results / name) for name in shown] + [str(path) for path in weights.values()])
    packages = ", ".join(f"{name} {version}" for name, version in versions().items())
    machines = sorted({job.machine for job in jobs}) or [machine()]
    certificate, stored = pd.read_csv(results / CERTIFICATE, keep_default_na=False), Results(results)
    seconds = [{"name": job.name} | _benchmark(results, job.name) for job in sorted(jobs, key=lambda job: job.name)]
    return {
        "paper": PAPER_URL,
        "config": config,
        "folder": results,
        "options": Markup(" ") + shlex.join(options) if options else "",
        "marks": VERDICT_MARKS,
        "claims": stored.claims.to_dict("records"),
        "criteria": {claim: rows.to_dict("records") for claim, rows in stored.criteria.groupby("claim")},
        "omissions": [
            omission for name in config.sections for omission in stages.find(name, "judge", "claims").omissions
        ],
        "function": stages.name_in_module,
        "explored": addresses(config),
        "numbers": {k: pd.read_csv(p, dtype=str, keep_default_na=False) for k, p in numbers.items() if p.exists()},
        "models": sum(sweep.models for sweep in config.sweeps.values()),
        "devices": {name: archive.read(path)[0].device for name, path in weights.items()},
        "machines": machines,
        "jobs": seconds,
        "costs": {name: _costs(name, figure, seconds) for name, figure in config.figures.items()},
        "parameters": lambda name: describe_parameters(config.sweeps[name], config.from_paper[name]),
        "facts": {"commit": commit(), "Python and packages": packages, "machine": ", ".join(machines)}
        | {"scale": config.scale},
        "optimality": {row["figure"]: row for row in certificate.to_dict("records")},
        "negligible": NEGLIGIBLE,
        **_sensitivity(results, config),
    }


def _benchmark(results: Path, job: str) -> dict[str, Any]:
    """Return the seconds and the peak memory of a job, as Snakemake measured them."""
    last = pd.read_csv(results / "benchmarks" / f"{job}.tsv", sep="\t").iloc[-1]
    return {"seconds": float(last["s"]), "memory": last["max_rss"]}


def _costs(name: str, figure: Figure, jobs: list[dict[str, Any]]) -> list[float]:
    """Return the seconds of training the experiments of a figure, of measuring their models, and of drawing."""
    training = [f"train/{experiment}" for experiment in figure.experiments]
    steps = training, [f"measure/{name}"], [f"draw/{name}", f"animate/{name}"]
    # A large sweep is trained in parts, whose jobs are named after its own.
    return [math.fsum(job["seconds"] for job in jobs if "/".join(job["name"].split("/")[:2]) in step) for step in steps]


def _sensitivity(results: Path, config: Config) -> dict[str, Any]:
    """Return the verdicts of claims under every variant of the training configuration, and how many stay the same."""
    paths = [results / "sensitivity" / f"{section}.csv" for section in config.sensitivity]
    if not paths:
        return {}
    table = pd.concat([pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths])
    verdicts = table.pivot(index="claim", columns="variant", values="verdict")
    verdicts = verdicts.loc[table["claim"].unique(), table["variant"].unique()]
    reference, others = verdicts.iloc[:, 0], verdicts.iloc[:, 1:]
    return {"variants": verdicts, "same": int(others.eq(reference, axis=0).to_numpy().sum())}


def _robustness(record: Path | None, results: Path) -> dict[str, Any]:
    """Return how often the verdicts on record came under other seeds."""
    if record is None:
        return {"seeds": 0}
    table, claims = pd.read_csv(record, keep_default_na=False), Results(results).claims
    found = agreement(table, dict(zip(claims["claim"], claims["expected"], strict=True)))
    return {"seeds": count_seeds(table), "robustness": found.to_dict("records"), "firm_share": FIRM_SHARE}


# How the template shows values


def typeset(text: str) -> list[tuple[str, str]]:
    """Set text on one line as in print; return its parts, each with the element that it needs: i, sub, sup or none.

    W_i, Σ_k and Σ_{j≠i} get subscripts, p^k and S^(n-k) superscripts, 3e-08 becomes a power of ten, minus signs get
    their own length, and lines break neither around = nor before %.
    """
    line = re.sub(r"(?<![\w.])(\d(?:\.\d+)?)e([+-])0*(\d+)\b", _power_of_ten, " ".join(text.split()))
    line = re.sub(rf"(?<![\w)\]])-(?=[\d½]|[a-z]\b|{SUBSCRIPT})|(?<=\b1)-(?=S\b)|(?<=\S )-(?= \S)", "−", line)
    line = re.sub(r"(?<=\b\w) = (?=\S)", "\u00a0=\u00a0", re.sub(r"(?<=\d) ?%", "\u202f%", line))
    parts, end = list[tuple[str, str]](), 0
    for match in re.finditer(rf"(?<![A-Za-z0-9_]){SUBSCRIPT}|(?<=‖)_F|\^(?:\([^)]+\)|\w+)", line):
        before, mark, script = match[0].partition("^" if "^" in match[0] else "_")
        element = "sup" if mark == "^" else "sub"
        parts += [("", line[end : match.start()]), ("i", before), (element, script.strip("(){}").replace("-", "−"))]
        end = match.end()
    return [(element, part) for element, part in [*parts, ("", line[end:])] if part]


def _power_of_ten(match: re.Match[str]) -> str:
    """Write a number like 3e-08 as a multiple of a power of ten."""
    factor, sign, exponent = match.groups()
    return f"{factor}\u00a0×\u00a010^({sign.replace('+', '')}{exponent})"


def number(value: SupportsFloat, digits: int = 3) -> str:
    """Format a number with so many significant digits, large ones in full; nan is what does not exist."""
    value = float(value)
    if math.isnan(value):
        return "none"
    return f"{value:.0f}" if 100 <= abs(value) < 1e5 else f"{value:.{digits}g}"


def percent(share: SupportsFloat, error: SupportsFloat) -> str:
    """Format a share in percent, with its standard error unless that rounds to 0, as in ``1.63 ± 0.02 %``."""
    value, spread = (round(100 * float(part), 2) for part in (share, error))
    return f"{value:.2f} ± {spread:.2f} %" if spread else f"{value:.4g} %"


def shortened(text: str) -> str:
    """Round the numbers in a text to three significant digits."""
    return re.sub(r"\d+\.\d+(e-\d+)?", lambda match: f"{float(match[0]):.3g}", text)


def tally(claims: Sequence[ClaimRow]) -> list[tuple[str, int]]:
    """Count the claims with each verdict that there is."""
    verdicts = [claim["verdict"] for claim in claims]
    return [(verdict, verdicts.count(verdict)) for verdict in VERDICT_MARKS if verdict in verdicts]


def of_figure(claims: Sequence[ClaimRow], figure: str) -> list[ClaimRow]:
    """Return the claims about a figure."""
    return [claim for claim in claims if claim["figure"] == figure]


def is_unexpected(claim: ClaimRow) -> bool:
    """Return whether a verdict is not the one on record."""
    return claim["verdict"] not in (claim["expected"], NOT_AT_THIS_SCALE)


def describe_parameters(sweep: Sweep, from_paper: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the parameters of an experiment that the paper states, and those that we chose."""
    unused = TRAINING_KEYS if sweep.solver == "exact" else ()
    values = {key: getattr(sweep, key) for key in type(sweep).model_fields if key not in unused}
    shown = {key: _brief(value) for key, value in values.items() if value is not None and value is not False}
    stated = {key: value for key, value in shown.items() if key in from_paper}
    return stated, {key: value for key, value in shown.items() if key not in stated}


def _brief(value: Any) -> str:
    """Format the value of a parameter; of a long list, its number of values and their range."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple | list):
        long = f"{len(value)} values from {_brief(value[0])} to {_brief(value[-1])}"
        return long if len(value) > 12 else ", ".join(map(_brief, value))
    if hasattr(value, "ratio"):
        return f"features {_brief([i + 1 for i in value.features])}: {_brief(value.ratio)}"
    return str(getattr(value, "name", value))
