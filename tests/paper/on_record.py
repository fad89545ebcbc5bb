"""The numbers of all tables, claims, drawings and views of a section, for models made by hand, and of the search.

See ``made`` for the models. ``python -m tests.paper.on_record`` records them anew in ``record/<section>.csv``, and
those of rough models in ``record/rough/<section>.csv``, after an intended change of what is measured, judged or drawn;
with names such as ``phase`` or ``rough/phase``, only these. An error somewhere in the package that changes one of these
numbers is noticed, whatever it is about. A column of a table, or what is drawn in one place, is recorded as the number
of its values and three means, which tell about their sum, their size and their order.
"""

import contextlib
import re
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from matplotlib.animation import AbstractMovieWriter
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba, to_rgba_array
from matplotlib.figure import Figure, FigureBase
from matplotlib.legend import Legend
from matplotlib.offsetbox import VPacker
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter
from tests.paper.made import made
from tests.paper.synthetic import few_samples, through_files
from tests.paper.views import of_views
from tests.real import QUICK
from tests.search import made as search

from superposition.pipeline import stages
from superposition.pipeline.configuration.sections import FigureEntry
from superposition.pipeline.judging.claims import Claim, Judgement, Tables
from superposition.pipeline.judging.criteria import Criterion

FOLDER = Path(__file__).with_name("record")
COLUMNS = ["place", "values", "mean", "size", "order"]
# Means may differ by this share of the mean size of the values, and by this number. Processors round differently.
RELATIVE, ABSOLUTE = 5e-4, 1e-7
# What takes long is measured at fewer densities, or on fewer samples.
SMALLER: dict[str, dict[str, Any]] = {
    "paper.phase.measure": {
        "RATIOS": (0.1, 0.3, 0.7),
        "JUMP_RATIOS": (0.3, 0.7),
        "PATH_RATIOS": (0.1, 0.3, 1.0),
        "PATH_DENSITIES": (0.1, 0.3, 1.0),
        "BASIN_RATIOS": (0.2, 0.8),
    },
    "paper.phase.two_in_one": {"SURFACE_STEP": 0.2},
    "paper.phase.landscape": {"DESCENT_STARTS": 64, "LOSS_SAMPLES": 20_000},
    "paper.phase.activations": {"POINTS": 7},
    "paper.geometry.directions": {"ASIDE_DENSITIES": (0.05, 0.9), "ASIDE_NUMBERS": (3, 4)},
    "theory.packing": {"PACKING_STARTS": 4},
    "paper.remedies.autoencoder": {"TRAINING_STEPS": 30, "TEST_SAMPLES": 512, "RANDOM_DICTIONARIES": 5},
    "paper.absolute.activity": {"ACTIVITY_SAMPLES": 2**11},
    "paper.adversarial.measure": {"ATTACK_SAMPLES": 2**10, "MAIN_DENSITIES": 4, "OTHER_DENSITIES": 3},
    "paper.theory.measure": {"SAMPLES_PER_COUNT": 2000},
}
# What is left out: which one of several equally good solutions a search ends with depends on the processor.
TIED = re.compile(
    r"phase_activations/(grid/(w|b|absent|dedicated|phase)|\d+/images|sweeps/models/(W|b|notes|axes)|charts/models/shares)|"
    r"phase\.activation_functions/text|five_features/optima/(dedicated|norm2|off_pentagon)|"
    r"polytopes/(thomson/apart|numbers/the two arrangements|sweeps/polytopes_3_12/[Wb])"
)
# The figures of every section, and some of the standard figures of custom sweeps.
SECTIONS = {name: section.figures for name, section in QUICK.sections.items()} | {
    stages.CUSTOM: {
        f"{name}_{kind}": FigureEntry(title=kind, shows=kind, experiments=(name,))
        for kind, names in {
            "gram": ("privileged_linear", "absolute_motif"),
            "points": ("organization_4",),
            "dimensionality": ("adversarial_training",),
        }.items()
        for name in names
    }
}
# Figures of exact calculations, beside which trained models are only drawn.
EXACT = ("loss_surfaces",)
# What is recorded; with models made by hand, and with rough ones.
RECORDED = [*SECTIONS, "search"]
ROUGH = [f"rough/{section}" for section, figures in SECTIONS.items() if any(f.experiments for f in figures.values())]
Numbers = dict[str, np.ndarray]


@contextlib.contextmanager
def smaller() -> Iterator[None]:
    """Measure at fewer densities and on fewer samples."""
    with contextlib.ExitStack() as stack:
        for module, values in SMALLER.items():
            stack.enter_context(mock.patch.multiple(f"superposition.{module}", **values))
        stack.enter_context(few_samples(2**7, seeds=2))
        yield


def measure(section: str, folder: Path, rough: bool) -> Tables:
    """Return the tables of a section's figures, as they are read from files in a folder.

    Exact calculations are measured once, beside models that are not rough.
    """
    tables = {}
    for figure, about in SECTIONS[section].items():
        if rough and (figure in EXACT or not about.experiments):
            continue
        models = [{name: made(name, rough=rough) for name in about.experiments}]
        if about.best:
            models.append({name: made(name, 1, rough) for name in about.best})
        tables[figure] = stages.find(section, "measure", figure)(*models)
    return through_files(tables, folder)


def numbers_in(texts: Any, least: float = 1e-3) -> list[float]:
    """Return the numbers in texts, above the least by their logarithm, so that small ones tell beside large ones."""
    found = [number for text in texts for number in re.findall(r"-?\d+\.?\d*(?:e[-+]\d+)?", str(text))]
    return [float(np.arcsinh(float(number) / least)) for number in found]


def of_tables(tables: Tables) -> Numbers:
    """Return every column."""
    return {
        f"{figure}/{name}/{column}": of_column(values)
        for figure, parts in tables.items()
        for name, table in parts.items()
        for column, values in table.items()
    }


def of_column(values: pd.Series) -> np.ndarray:
    """Return numbers as they are, and text as the number of its first occurrence, with the numbers in it."""
    if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
        return np.array([*pd.factorize(values)[0], *numbers_in(values.dropna())], dtype=float)
    return np.asarray(values, dtype=float)


def of_claims(section: str, tables: Tables) -> Numbers:
    """Return the numbers of every claim."""
    numbers: Numbers = {}
    for claim in stages.find(section, "judge", "claims"):
        try:
            numbers |= of_judgement(claim, claim.judge(tables))
        except (LookupError, ValueError) as error:  # Some claims need what these models do not have.
            numbers[f"{claim.id}/{type(error).__name__}"] = np.zeros(0)
    return numbers


def of_judgement(claim: Claim, judgement: Judgement) -> Numbers:
    """Return values, errors, bounds, the numbers in texts, the criteria, and the verdict."""
    finding, comparisons = judgement.finding, (*judgement.statement, *judgement.correction)
    verdicts = ("described", "reproduced", "corrected", "not reproduced")
    numbers = {str(k): [comparison.value] for k, comparison in enumerate(comparisons)} | {
        "error": [comparison.error for comparison in comparisons],
        "bound": [comparison.bound for comparison in comparisons],
        "text": numbers_in([finding.text, finding.note, finding.correction]),
        "criteria": [of_criterion(comparison.criterion) for comparison in comparisons],
        "verdict": [verdicts.index(judgement.verdict), judgement.close, claim.at_quick],
    }
    return {f"{claim.id}/{what}": np.array(values, dtype=float) for what, values in numbers.items()}


def of_criterion(criterion: Criterion) -> float:
    """Return a number for the relation and the numbers of a criterion. Unlike measured ones, they are exact."""
    return code((criterion.bound.relation, [f"{number:.6g}" for number in numbers_in([criterion], 1e-15)]))


def means(values: np.ndarray) -> np.ndarray:
    """Return three means, which tell about the sum of finite numbers, their size and their order; 0 without any."""
    weights = np.arange(1, len(values) + 1) * 0.618034 % 1
    return np.array([values.mean(), np.abs(values).mean(), (weights * values).mean()]) if len(values) else np.zeros(3)


def of_artist(artist: Artist) -> Iterator[tuple[str, Any]]:
    """Yield what a line, a collection, a patch or an image shows, in the units of the data."""
    if (values := getattr(artist, "get_array", lambda: None)()) is not None:
        yield "values", np.ma.filled(values, np.nan)
        yield "style", [*artist.get_clim(), code(artist.get_cmap().name)]
    if hasattr(artist, "get_data_3d"):
        yield from zip("xyz", artist.get_data_3d(), strict=True)
    elif hasattr(artist, "get_xydata"):
        yield from zip("xy", artist.get_xydata().T, strict=True)
    if hasattr(artist, "get_offsets"):
        yield from zip("xy", np.ma.filled(artist.get_offsets(), np.nan).T, strict=True)
        for path in artist.get_paths():
            yield from zip(("path x", "path y"), path.vertices.T, strict=True)
        yield "style", artist.get_linewidths()
        yield "style", getattr(artist, "get_sizes", list)()
    if hasattr(artist, "get_patch_transform"):
        corners = artist.get_patch_transform().transform(artist.get_path().vertices)
        yield from zip("xy", corners.T, strict=True)
    for name in ("get_color", "get_facecolor", "get_edgecolor"):
        if hasattr(artist, name):
            yield "style", to_rgba_array(getattr(artist, name)())
    for name in ("get_linewidth", "get_markersize", "get_alpha", "get_zorder"):
        value = getattr(artist, name, lambda: None)()
        yield "style", [] if value is None else value
    for name in ("get_linestyle", "get_marker"):
        yield "style", code(getattr(artist, name, lambda: None)())


def code(value: Any) -> float:
    """Return a number between 0 and 1 for what is none, such as the name of a marker."""
    return zlib.crc32(repr(value).encode()) / 2**32


def of_text(text: Text) -> Iterator[tuple[str, Any]]:
    """Yield where a text is and what it points to, the numbers in it, how it is set, and its arrow."""
    yield "texts", [*text.get_position(), *getattr(text, "xy", ())]
    yield "words", numbers_in([text.get_text()])
    yield "setting", [text.get_fontsize(), text.get_rotation() / 90, code(text.get_ha()), code(text.get_va())]
    yield "setting", [*to_rgba(text.get_color()), bool(text.get_text())]
    if arrow := getattr(text, "arrow_patch", None):
        kind = code(type(arrow.get_arrowstyle()).__name__)
        yield "setting", [arrow.get_linewidth(), *to_rgba(arrow.get_edgecolor()), kind]


def of_legend(legend: Legend | None) -> Iterator[tuple[str, Any]]:
    """Yield how the texts of a legend are set, in how many columns, how far apart, and what is beside them."""
    if legend is not None:
        yield "setting", len(legend.findobj(VPacker))
        yield "setting", [legend.handlelength, legend.handletextpad, legend.columnspacing, legend.labelspacing]
        for text in (legend.get_title(), *legend.get_texts()):
            yield from of_text(text)
        for handle in legend.legend_handles:
            yield from (("handles", style) for what, style in of_artist(handle) if what == "style")


def of_formatter(formatter: Formatter) -> float:
    """Return a number for the kind of labels that ticks have."""
    shown = formatter(12.345, 0) if isinstance(formatter, FuncFormatter) else getattr(formatter, "fmt", None)
    return code((type(formatter).__name__, shown))


def of_axes(ax: Axes) -> Iterator[tuple[str, Any]]:
    for name in "xyz":
        if axis := getattr(ax, f"{name}axis", None):
            yield f"{name} limits", axis.get_view_interval()
            scale = ("linear", "log", "symlog", "logit").index(axis.get_scale())
            ticks, labels = axis.get_major_locator(), axis.get_major_formatter()
            yield f"{name} limits", [scale, *(ticks() if isinstance(ticks, FixedLocator) else [])]
            shown = axis.get_tick_params()
            told = ("labelsize", "length", "gridOn", "labelbottom", "labelleft")
            yield "setting", [float(shown.get(what, -1)) for what in told]
            yield "setting", bool(axis.label.get_text())
            yield "setting", [of_formatter(formatter) for formatter in (labels, axis.get_minor_formatter())]
            yield "words", numbers_in([axis.label.get_text(), *getattr(labels, "seq", ())])
    if hasattr(ax, "azim"):
        yield "limits", [ax.azim, ax.elev]
    for text in (ax.title, *ax.texts):
        yield from of_text(text)
    yield "words", numbers_in(ax.get_title(place) for place in ("left", "right"))
    yield from of_legend(ax.get_legend())
    yield "layout", [*ax.get_position(original=True).bounds, code(ax.get_aspect()), ax.axison, len(ax.texts)]
    for spine in ax.spines.values():
        yield "setting", [spine.get_visible(), spine.get_linewidth(), *to_rgba(spine.get_edgecolor())]
    for kind in ("lines", "collections", "patches", "images"):
        for artist in getattr(ax, kind):
            for what, values in of_artist(artist):
                yield f"{kind} {what}", values


def of_part(part: FigureBase) -> Iterator[tuple[str, Any]]:
    """Yield what a figure or a part of it shows beside its axes, and the sizes of its parts."""
    for text in part.texts:
        yield from of_text(text)
    for legend in part.legends:
        yield from of_legend(legend)
    for inner in part.subfigs:
        yield "layout", inner.bbox_relative.bounds
        yield from of_part(inner)


def of_figure(figure: Figure) -> Numbers:
    """Return what is drawn in all axes; of words, the numbers in them."""
    shown = [("layout", figure.get_size_inches()), ("layout", len(figure.axes)), *of_part(figure)]
    for k, ax in enumerate(figure.axes):
        shown += [(f"{k}/{what}", values) for what, values in of_axes(ax)]
    found: dict[str, list[np.ndarray]] = {}
    for place, values in shown:
        array = np.ravel(np.asarray(values, dtype=float))
        # Of long lines and large images only means, so that short ones beside them tell as much.
        found.setdefault(place, []).append(array if len(array) <= 4 else means(array[np.isfinite(array)]))
    return {place: np.concatenate(arrays) for place, arrays in found.items()}


class Frames(AbstractMovieWriter):
    """A writer of animations that records the numbers of every frame in place of its picture."""

    def setup(self, fig: Figure, outfile: str | Path, dpi: float | None = None) -> None:
        super().setup(fig, outfile, dpi)
        self.frames: list[Numbers] = []

    def grab_frame(self, **savefig_kwargs: Any) -> None:
        self.frames.append(of_figure(self.fig))

    def finish(self) -> None:
        pass

    def numbers(self) -> Numbers:
        places = dict.fromkeys(place for frame in self.frames for place in frame)
        return {p: np.concatenate([frame[p] for frame in self.frames if p in frame]) for p in places}


def of_drawings(section: str, tables: Tables, folder: Path) -> Numbers:
    """Return what is drawn in the figures of a section, which change no table."""
    numbers: Numbers = {}
    for name in tables:
        given = {kind: table.copy() for kind, table in tables[name].items()}
        figure = stages.find(section, "draw", name)(given)
        if any(ax.name == "3d" for ax in figure.axes):
            # What is drawn in three dimensions is projected when it is drawn; the layout depends on the fonts.
            figure.set_layout_engine("none")
            figure.draw_without_rendering()
        numbers |= {f"{name}/{place}": values for place, values in of_figure(figure).items()}
        mpl.pyplot.close(figure)
        for kind, table in given.items():
            pd.testing.assert_frame_equal(table, tables[name][kind], check_exact=True)
        if SECTIONS[section][name].animated:
            animation, frames = stages.find(section, "draw", f"animate_{name}")(tables[name]), Frames()
            animation.save(folder / "frames", frames)
            numbers |= {f"{name} moving/{place}": values for place, values in frames.numbers().items()}
            mpl.pyplot.close("all")
    return numbers


def summarise(numbers: Numbers) -> pd.DataFrame:
    finite = {place: values[np.isfinite(values)] for place, values in numbers.items() if not TIED.search(place)}
    return pd.DataFrame([[place, len(values), *means(values)] for place, values in finite.items()], columns=COLUMNS)


def record(name: str) -> pd.DataFrame:
    """Return what ``record/<name>.csv`` has to say."""
    if name == "search":
        return summarise(search.numbers())
    numbers: Numbers = {}
    section, rough = name.removeprefix("rough/"), name in ROUGH
    with smaller(), tempfile.TemporaryDirectory() as folder:
        tables = measure(section, Path(folder), rough)
        for part, found in (
            ("table", of_tables(tables)),
            ("claim", of_claims(section, tables)),
            ("drawing", of_drawings(section, tables, Path(folder))),
            ("view", {place: of_column(pd.Series(values)) for place, values in of_views(tables, rough).items()}),
        ):
            numbers |= {f"{part} {place}": values for place, values in found.items()}
    return summarise(numbers)


def differences(found: pd.DataFrame, expected: pd.DataFrame) -> list[str]:
    """Return the places at which numbers differ from those on record, or which only one of both has.

    If there are none, return those that come in another order: the columns of tables in the report have one.
    """
    both = found.merge(expected, "outer", on="place", suffixes=("", "_expected"))
    allowed = RELATIVE * both["size_expected"] + ABSOLUTE
    same = both["values"] == both["values_expected"]
    for name in COLUMNS[2:]:
        same &= (both[name] - both[f"{name}_expected"]).abs() <= allowed
    moved = [place for place, other in zip(found["place"], expected["place"], strict=False) if place != other]
    return both.loc[~same, "place"].tolist() or moved


if __name__ == "__main__":
    mpl.use("Agg")
    torch.set_num_threads(1)
    (FOLDER / "rough").mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or [*RECORDED, *ROUGH]:
        record(name).to_csv(FOLDER / f"{name}.csv", index=False, float_format="%.5g")
