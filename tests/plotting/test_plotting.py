"""Test what figures share: reproducible files, and the panels that show models."""

import struct
import time
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import seaborn
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from mpl_toolkits.mplot3d import proj3d

from superposition.plotting import panels, style, vectors
from superposition.theory import polytopes


def drawn(slope: float = 1.0) -> Figure:
    """Draw a legend, a clipped line and an image, whose names in an SVG are random by default."""
    figure, axes = plt.subplots()
    axes.plot([0, 1], [0, slope], label="$W_i$")
    axes.imshow(np.eye(3), extent=(0, 1, 0, 1))
    axes.legend()
    return figure


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Return the types and contents of the parts of a PNG file."""
    found, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += length + 12
    return found


def test_the_palette_is_one_for_colour_blind_readers() -> None:
    """The style sheet spells out a palette of seaborn, which is too slow to import for every figure."""
    assert seaborn.color_palette("colorblind").as_hex() == style.CATEGORIES


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_same_figure_gives_the_same_bytes(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes depend neither on the time nor on chance, and another figure has others."""
    now = time.time()
    for name, slope, when in (("one", 1, now), ("two", 1, now + 3e8), ("three", 2, now)):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(when)))
        style.save(drawn(slope), tmp_path / f"{name}.{suffix}")
    one, two, three = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two", "three"))
    assert one == two != three


def noisy(figure: Figure, rng: np.random.Generator) -> Figure:
    """Change the last bits of a layout at random, as its solver does."""
    solve = figure.get_layout_engine().execute

    def execute(fig: Figure) -> None:
        solve(fig)
        for box, move in (
            *((part.bbox_relative, part.bbox_relative.set) for part in fig.subfigs),
            *((ax.get_position(original=True), ax.set_position) for ax in fig.axes),
        ):
            move(Bbox(box.get_points() * (1 + 1e-13 * rng.normal(size=(2, 2)))))

    figure.get_layout_engine().execute = execute
    return figure


def test_the_last_bits_of_the_layout_do_not_show(tmp_path: Path) -> None:
    """Files do not depend on the last bits of the layout, which differ from run to run."""
    rng, seen = np.random.default_rng(0), set()
    for k in range(3):
        figure = plt.figure()
        # The upper edge of the third part is at 0.3374375, half way between two numbers of six decimals.
        for part in figure.subfigures(4, 1, height_ratios=[2.3, 0.9, 2.1, 2.7]):
            part.subplots().barh([0, 1], [1, 2])
        style.save(noisy(figure, rng), tmp_path / f"{k}.svg")
        seen.add((tmp_path / f"{k}.svg").read_bytes())
    assert len(seen) == 1


def test_no_dates(tmp_path: Path) -> None:
    svg, png = tmp_path / "a.svg", str(tmp_path / "a.png")
    style.save(drawn(), svg, png)
    assert svg.read_bytes().startswith(b"<?xml")
    assert b"date>" not in svg.read_bytes()
    parts = chunks(Path(png).read_bytes())
    assert {kind for kind, _ in parts} >= {b"IHDR", b"IDAT", b"IEND"}
    assert not {kind for kind, _ in parts} & {b"tIME", b"tEXt", b"zTXt", b"iTXt"}


@pytest.mark.filterwarnings("error")
def test_a_manual_layout_is_kept(tmp_path: Path) -> None:
    """Saving neither moves axes nor causes a warning."""
    figure = plt.figure(layout="none")
    ax = figure.add_axes((0.1, 0.2, 0.3, 0.4))
    style.save(figure, tmp_path / "one.svg", tmp_path / "one.png")
    assert ax.get_position().bounds == pytest.approx((0.1, 0.2, 0.3, 0.4))


def test_saved_figures_are_closed(tmp_path: Path) -> None:
    figure = drawn()
    assert plt.fignum_exists(figure.number)
    style.save(figure, tmp_path / "a.svg")
    assert not plt.fignum_exists(figure.number)


def test_model_panel() -> None:
    """Rows are features, the first on top, whatever the order of the pairs; colours end at ±1."""
    gram = np.array([[1.0, -0.5, 0.0], [-0.5, 0.25, 2.0], [0.0, 2.0, 4.0]])
    features = pd.DataFrame(
        {"feature": range(3), "bias": [0.1, -0.2, 0.3], "norm": [1, 0.5, 2], "superposition": [0.25, 5.0, 0]}
    )
    i, j = np.divmod(np.arange(9), 3)
    pairs = pd.DataFrame({"i": i, "j": j, "dot": gram.ravel()}).sample(frac=1, random_state=0)
    figure, axes = plt.subplots(1, 3)
    panels.model_panel(list(axes), panels.Panel("", panels.gram(pairs), features))
    heat, strip, bars = axes
    np.testing.assert_array_equal(heat.images[0].get_array(), gram)
    np.testing.assert_array_equal(strip.images[0].get_array(), features[["bias"]])
    for image in (*heat.images, *strip.images):
        assert image.get_clim() == (-1, 1)
        assert image.get_cmap() is style.signed()
        assert image.origin == "upper"
    assert [bar.get_width() for bar in bars.patches] == [1, 0.5, 2]
    assert [bar.get_y() + bar.get_height() / 2 for bar in bars.patches] == pytest.approx([0, 1, 2])
    colours = [to_rgba(bar.get_facecolor()) for bar in bars.patches]
    assert colours == [style.SUPERPOSITION(x) for x in (0.25, 1.0, 0.0)]
    assert bars.get_ylim() == (2.5, -0.5)
    plt.close(figure)


@pytest.mark.parametrize(("count", "matrices"), [(1, 1), (3, 2), (5, 1), (8, 2), (9, 1)])
def test_model_grid(count: int, matrices: int) -> None:
    """Nothing overlaps, nothing is off the page, and a row has at most four models."""
    features = pd.DataFrame({"feature": [0, 1], "bias": [0.1, 0], "norm": [1.5, 0.5], "superposition": [0.5, 0]})
    shown = {f"M_{k}": np.full((2, 3 + k), 0.5) for k in range(matrices)}
    models = [panels.Panel(f"model\n{k}", shown, features) for k in range(count)]
    figure = panels.model_grid(models, "values", reach=2.0, note="a note")
    assert len(figure.axes) == count * (matrices + 2) + 2
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == [panel.title for panel in models]
    rows = Counter(ax.get_position().y0 for ax in figure.axes if ax.get_title())
    assert max(rows.values()) <= 4
    boxes = [ax.get_position() for ax in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    for image in (image for ax in figure.axes[:-2] for image in ax.images):
        assert image.get_clim() == (-2, 2)
    assert all(ax.get_xlim()[1] > 1.5 for ax in figure.axes[:-2] if len(ax.patches) == 2)
    page = figure.bbox
    figure.draw_without_rendering()
    texts = [text for ax in figure.axes for text in (ax.title, ax.xaxis.label, ax.yaxis.label)] + figure.texts
    for box in (text.get_window_extent() for text in texts if text.get_text()):
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
    plt.close(figure)


@pytest.mark.parametrize("m", [2, 3])
def test_feature_arrows(m: int) -> None:
    """Arrows lead to the columns of W; equal ones share a label, and short ones or more than 20 have none."""
    labels = {4: ["$W_{1,4}$", "$W_{2}$"], 20: ["$W_{1,4,5,8,9,12,13,16,17,20}$", "$W_{2,6,10,14,18}$"], 21: []}
    corners = np.array([[1, 0.1, 0], [0, -1, 0.2], [0.1, 0, 0], [0.98, 0.12, 0]])[:, :m]
    for n in labels:
        W = np.resize(corners, (n, m))
        columns = {f"w{k}": W[:, k] for k in range(m)}
        norm = np.linalg.norm(W, axis=1)
        features = pd.DataFrame({"feature": range(n), "importance": 0.5, "norm": norm} | columns)
        figure = plt.figure()
        ax = figure.add_subplot(projection="3d" if m == 3 else None)
        vectors.feature_arrows(ax, features, ["teal"] * len(features), reach=1.3)
        ends = [np.array(line.get_data_3d() if m == 3 else line.get_data()).T for line in ax.lines]
        arrows = np.array(ends[-n:])
        assert not arrows[:, 0].any()
        np.testing.assert_allclose(arrows[:, 1], W)
        assert [text.get_text() for text in ax.texts] == labels[n]
        assert ax.get_xlim() == ax.get_ylim() == (-1.3, 1.3)
        plt.close(figure)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_the_hull_of_features_in_space(rank: int) -> None:
    """The hull is drawn only if features span space; the outline of the unit sphere always is."""
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1], [0, 0, 0.1]]) / 3**0.5
    corners[:, rank:] = 0
    features = pd.DataFrame({"feature": range(5), "importance": 1.0} | {f"w{k}": corners[:, k] for k in range(3)})
    features["norm"] = np.linalg.norm(corners, axis=1)
    figure = plt.figure()
    ax = figure.add_subplot(projection="3d")
    vectors.feature_arrows(ax, features, ["teal"] * len(features))
    ends = [np.array(line.get_data_3d()).T for line in ax.lines]
    edges = [e for e in ends if len(e) == 2 and np.linalg.norm(e, axis=1) == pytest.approx(1) and e[0] @ e[1] > -0.5]
    assert len(edges) == (6 if rank == 3 else 0)  # A tetrahedron.
    (outline,) = (e for e in ends if len(e) > 2)
    assert np.linalg.norm(outline, axis=1) == pytest.approx(1)
    assert np.abs(outline[:-1].mean(axis=0)).max() < 1e-9, "a whole circle"
    plt.close(figure)


def test_neuron_stacks() -> None:
    """A stack has a neuron's |weights| in its features' colours, the largest at the bottom and the rest grey."""
    W = np.array([[0.5, -2.0, 0.001], [1.0, 0.0, 0.25]])
    figure, ax = plt.subplots()
    panels.neuron_stacks(ax, W, [False, True], ["red", "green", "blue"], labels=True)
    (pieces,) = ax.collections
    boxes = [path.get_extents() for path in pieces.get_paths()]
    seen = [(box, to_hex(c)) for box, c in zip(boxes, pieces.get_facecolor(), strict=True) if box.height]
    stacks = [[(box, colour) for box, colour in seen if round(box.x0 + 0.43) == k] for k in (0, 1)]
    assert [[box.height for box, _ in stack] for stack in stacks] == [pytest.approx([2, 0.5, 0.001]), [1, 0.25]]
    assert [box.y0 for box, _ in stacks[0]] == pytest.approx([0, 2, 2.5])
    colours = [[colour for _, colour in stack] for stack in stacks]
    assert colours == [[to_hex("green"), to_hex("red"), to_hex("0.7")], [to_hex("red"), to_hex("blue")]]
    behind = [to_hex(b.get_facecolor()) for b in ax.patches if b.get_width() == 1]
    assert behind == [style.NEURON_BACKGROUNDS[False], style.NEURON_BACKGROUNDS[True]]
    assert [text.get_text() for text in ax.texts] == ["2", "1", "1", "3"]
    assert ax.get_ylim()[1] > np.abs(W).sum(1).max()
    plt.close(figure)


def test_edges_at_the_back_of_a_solid_are_fainter() -> None:
    """Fainter edges are those with the larger depth in matplotlib's own projection."""
    ax = plt.figure().add_subplot(projection="3d", proj_type="ortho")
    vectors.draw_polytope(ax, polytopes.icosahedron(), "k")
    depth: dict[bool, list[float]] = {True: [], False: []}
    for line in ax.lines:
        middle = np.mean(line.get_data_3d(), axis=1)
        depth[line.get_alpha() == 1].append(proj3d.proj_transform(*middle, ax.get_proj())[2])
    plt.close()
    assert len(depth[True]) + len(depth[False]) == 30
    assert max(depth[True]) < min(depth[False])


def test_plain_ticks() -> None:
    """A logarithmic axis has the labels that are asked for, and no others, such as powers of ten between them."""
    figure, ax = plt.subplots()
    ax.set(yscale="log", ylim=(0.2, 30))
    style.plain_ticks(ax.yaxis, 0.3, 1, 20)
    figure.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels(which="both") if label.get_text()] == ["0.3", "1", "20"]
    np.testing.assert_allclose(ax.get_yticks(), [0.3, 1, 20])
    plt.close(figure)
