"""The explorer: what trains in the page is what the package trains, and the page shows the numbers of the tables."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgb
from tests.cases import in_ci
from tests.paper.made import models_of
from tests.pipeline.browser import CHROMIUM, FLAGS, new_page
from tests.real import CONFIGS, ROOT
from tests.sections import parse

from superposition.analysis import alignment
from superposition.core.experiment.sweep import Sweep
from superposition.core.models import Model
from superposition.core.weights import SweepResult
from superposition.pipeline.explorer import page, sweeps
from superposition.pipeline.explorer.addresses import addresses, custom_figures
from superposition.pipeline.explorer.sweeps import LIVE_DIMENSIONS, LIVE_FEATURES, describe_sweep
from superposition.plotting import style
from superposition.theory import exact, optimum
from superposition.training.autograd import Autograd
from superposition.training.blocks import Plan
from superposition.training.engine import TrainingConfig
from superposition.training.fused import Fused

PAGE = ROOT / "report/explorer"


def run_script(module: str, code: str, folder: Path) -> Any:
    """Run a module of the page and some code that sets ``result``, in Node.js or a browser; return the result."""
    script = f"{page.bundle(PAGE / module)}\nlet result;\n{code}\n"
    if node := shutil.which("node"):
        script += "console.log(JSON.stringify(result));"
        command = [node, "--input-type=module", "-"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, input=script).stdout)
    if CHROMIUM is None:
        pytest.skip("neither Node.js nor Chromium is installed")
    path = folder / "page.html"
    path.write_text(
        f"<pre></pre><script>{script}document.querySelector('pre').textContent = JSON.stringify(result)</script>"
    )
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}/profile", "--dump-dom", path.as_uri()]
    found = re.search("<pre>(.*)</pre>", subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert found
    return json.loads(found[1])


# Live training.

SPEC: dict[str, Any] = {
    "model": "relu_output", "n": 5, "m": 2, "density": 0.1, "density_profile": None, "importance": [1] * 5,
    "relative_density": 1, "relative_importance": 1, "correlated": [], "anticorrelated": [], "signed": False,
    "seed": 0, "restart": 0, "steps": 400, "batch": 256, "learning_rate": 0.01,
}  # fmt: skip
SPECS: dict[str, dict[str, Any]] = {
    "plain": {},
    "large": {"n": 10, "m": 3, "importance": [0.9**i for i in range(10)], "density": 0.03, "seed": 2, "restart": 1},
    "correlated": {"n": 6, "importance": [1] * 6, "correlated": [[0, 1], [2, 3], [4, 5]]},
    "sets": {"n": 7, "importance": [1] * 7, "density": 1.0, "correlated": [[4, 1]], "anticorrelated": [[0, 3, 5]]},
    "sparse": {"model": "relu_hidden", "density": 2e-05},
    "absolute": {"model": "absolute", "m": 3, "signed": True, "density": 0.3},
    "linear": {"model": "linear", "density": 0.5},
    "uneven": {"density_profile": [1, 0.5, 2, 3, 3], "importance": [1, 0.3, 0.7, 1, 0], "anticorrelated": [[3, 4]]},
}


def densities(spec: dict[str, Any]) -> list[float]:
    """Return the density of every feature."""
    return [spec["density"] * share for share in spec["density_profile"] or [1] * spec["n"]]


def trained(spec: dict[str, Any], steps: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Train the model with the package; return its parameters, and their rounding errors.

    These are the distance of the compiled engine from the reference engine in float64, but at least the rounding of
    weights of about 1 to float32 in every step.
    """
    keys = ("model", "n", "m", "density", "density_profile", "importance", "steps", "batch", "learning_rate")
    distribution = {key: spec[key] for key in ("correlated", "anticorrelated", "signed")}
    sizes = {"seeds": spec["seed"] + 1, "restarts": spec["restart"] + 1, "distribution": distribution}
    sweep = Sweep.parse({key: spec[key] for key in keys} | sizes)
    plan, instance = Plan(sweep), np.array([sweep.models - 1])
    block = plan.block(instance)
    start, config = plan.initial(block, instance), TrainingConfig.of(sweep)
    engines = Fused(block, config, start), Autograd(block, config, start.double())
    for engine in engines:
        engine.advance(0, steps)
    compiled, reference = (engine.parameters.detach().double().numpy()[0] for engine in engines)
    return compiled, np.maximum(np.abs(compiled - reference), steps * 6e-8)


@pytest.mark.parametrize("change", in_ci(SPECS, "correlated", "absolute", "linear", "uneven"))
def test_the_page_trains_what_the_package_trains(change: dict[str, Any], tmp_path: Path) -> None:
    """After 200 steps the weights are the same to within twice the rounding errors of the package."""
    spec = SPEC | change
    spec["densities"] = densities(spec)
    code = f"const t = new Trainer({json.dumps(spec)}); while (t.step < 200) t.advance(); result = [...t.parameters];"
    expected, rounding = trained(spec)
    assert np.abs(expected).max() > 0.5
    assert (np.abs(run_script("training.js", code, tmp_path) - expected) < 2 * rounding).all()


def test_the_page_finds_the_exact_optimum(tmp_path: Path) -> None:
    """The page computes the exact loss of any model, and the lowest one."""
    rng = np.random.default_rng(0)
    settings = [
        {"model": model, "n": n, "m": m, "density": [p] * n, "importance": [0.8**i for i in range(n)]}
        for model, n, m, p in (("relu_output", 2, 1, 0.6), ("relu_output", 3, 2, 0.1), ("linear", 3, 1, 1.0))
    ]
    given = [rng.normal(0, 0.7, (s["m"] + 1) * s["n"]).tolist() for s in settings]
    code = f"""const settings = {json.dumps(settings)}, given = {json.dumps(given)};
    result = settings.map((s, k) => [expectedLoss(given[k], s), bestModel(s).loss]);"""
    for setting, parameters, found in zip(settings, given, run_script("exact.js", code, tmp_path), strict=True):
        model = Model(setting["model"], setting["n"], setting["m"])
        density, importance = (torch.tensor([setting[k]], dtype=torch.float64) for k in ("density", "importance"))
        p = model.unpack(torch.tensor([parameters], dtype=torch.float64))
        loss = exact.expected_loss(model, p, density, importance)
        best = optimum.best_models(model, density, importance, 40)[1].min()
        np.testing.assert_allclose(found, [loss.item(), best.item()], rtol=1e-8)


@pytest.mark.parametrize(
    ("change", "fits"),
    [({}, True), ({"n": 21}, False), ({"m": 4}, False), ({"l1": 0.1, "model": "relu_hidden"}, False)],
)
def test_models_that_the_page_can_train_again(change: dict[str, Any], fits: bool) -> None:
    """Larger models than the settings of the live view allow, and those trained otherwise, have no link to it."""
    keys: dict[str, Any] = {"model": "relu_output", "n": 20, "m": 3, "density": 0.1, "seeds": 1}
    sweep = Sweep.parse(keys | change, "test")
    assert (describe_sweep(models_of(sweep, "test"))["live"] is not None) == fits


@pytest.mark.parametrize("sets", [[[0, 1, 2, 3, 4]], [[0, 1], [2, 3]], [[0, 1], [2, 3, 4], [5, 6]]])
def test_orders_of_sets_are_tried_one_by_one_if_they_are_few(
    sets: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"model": "relu_output", "n": max(map(max, sets)) + 1, "m": 2, "density": [0.5, 0.1]}
    models = models_of(Sweep.parse(keys | {"distribution": {"correlated": sets}}), "test")
    orders, tried = alignment.symmetric_orders(*sets), []
    monkeypatch.setattr(alignment, "symmetric_orders", lambda *sets: tried.append(sets) or orders)
    for limit, expected in ((len(orders) - 1, False), (len(orders), True)):
        monkeypatch.setattr(sweeps, "MAX_ORDERS", limit)
        describe_sweep(models)
        assert bool(tried) == expected


def test_models_that_the_page_offers_to_train_are_within_its_settings(tmp_path: Path) -> None:
    """A link to the live view would end in an error there, or a model that could be trained would have no link."""
    largest = SPEC | {"n": LIVE_FEATURES, "m": LIVE_DIMENSIONS}
    specs = [largest, largest | {"n": LIVE_FEATURES + 1}, largest | {"m": LIVE_DIMENSIONS + 1}]
    specs = [spec | {"densities": [0.1] * spec["n"], "importance": [1] * spec["n"]} for spec in specs]
    code = f"result = {json.dumps(specs)}.map((spec) => problem(spec) === undefined);"
    assert run_script("live.js", code, tmp_path) == [True, False, False]


def test_the_colours_are_those_of_the_figures(tmp_path: Path) -> None:
    """The categories and polytopes exactly, and the scales to within a step of a channel where they are given."""
    code = """
    const at = (scale, count, low = 0) =>
        d3.range(count).map((k) => d3.color(scale(low + (1 - low) * k / (count - 1))).hex());
    const ours = { SIGNED: at(signed, SIGNED.length, -1), IMPORTANCE: at(important, IMPORTANCE.length) };
    result = { CATEGORIES, POLYTOPES, SCALES: { ...ours, viridis: at(viridis, 256), plasma: at(plasma, 256) } };"""
    shown = run_script("colours.js", code, tmp_path)
    assert shown["CATEGORIES"] == style.CATEGORIES
    shown["POLYTOPES"].pop("absent")  # It depends on whether the page is dark.
    assert shown["POLYTOPES"] == {name: to_hex(style.POLYTOPES[name]) for name in shown["POLYTOPES"]}
    assert {*style.POLYTOPES} == {*shown["POLYTOPES"], "absent"}
    for name, colours in shown["SCALES"].items():
        scale = style.signed() if name == "SIGNED" else getattr(style, name, None) or colormaps[name]
        expected = scale(np.linspace(0, 1, len(colours)))[:, :3]
        assert [to_rgb(colour) for colour in colours] == pytest.approx(expected, abs=1.01 / 255), name


# Pages.

CUSTOM: dict[str, Any] = {
    "experiments": {
        "pairs": {
            "model": "relu_output",
            "n": 4,
            "m": 3,
            "density": [0.5, 0.1, 0.02],
            "distribution": [{"correlated": [[0, 1], [2, 3]]}, "independent"],
        },
        "neurons": {"model": "absolute", "n": 3, "m": 6, "density": 0.3, "distribution": "signed"},
    },
    "sections": {"introduction": {"title": "Introduction", "anchor": "#motivation"}},
    "figures": {"theory": {"section": "introduction", "title": "Nothing", "shows": "Nothing."}},
}


def test_custom_sweeps_of_many_features_are_left_out() -> None:
    """The page shows those of up to 500."""
    sweeps = {f"of_{n}": {"model": "linear", "n": n, "m": 3, "density": 0.1} for n in (500, 501)}
    assert {*custom_figures(parse(CUSTOM | {"experiments": sweeps}))} == {"of_500"}


class Reader:
    """A page in a browser, with everything that goes wrong in it or that it requests from a network."""

    def __init__(self, browser: Any, path: Path) -> None:
        self.path, self.problems = path, list[str]()
        self.page = new_page(browser)
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.check_address(request.url))

    def check_address(self, url: str) -> None:
        if not url.startswith(("data:", "blob:")) and url.partition("#")[0] != self.path.as_uri():
            self.problems.append(url)

    def open(self, address: str) -> None:
        """Go to an address; the page is loaded only once, since that takes longer than to show a view."""
        place = f"{self.path.as_uri()}#{address}"
        if self.page.url.startswith(self.path.as_uri()) and self.page.url != place:
            shown = "new Promise((shown) => addEventListener('hashchange', () => shown(), { once: true }))"
            self.page.evaluate(f"(address) => {{ location.hash = address; return {shown}; }}", address)
        else:
            self.page.goto("about:blank")
            self.page.goto(place)
        self.page.locator("main .panel").first.wait_for()

    def settle(self) -> None:
        """Wait until the address follows the settings, by the clock of the page: it does so 200 ms after a change."""
        self.page.evaluate("new Promise((done) => setTimeout(done, 300))")

    def nameless(self) -> list[str]:
        """Return the roles of pictures without a name, and of elements without one that the keyboard reaches."""
        nodes = self.page.context.new_cdp_session(self.page).send("Accessibility.getFullAXTree")["nodes"]
        return [
            node["role"]["value"]
            for node in nodes
            if not node["ignored"]
            and not node["name"]["value"]
            and node["role"]["value"] not in ("RootWebArea", "main")
            if node["role"]["value"] == "image" or any(p["name"] == "focusable" for p in node["properties"])
        ]

    def fact(self, name: str) -> str:
        """Return the fact of this name on the page."""
        found = self.page.locator(f"dt:text-is('{name}') + dd").first
        return str(found.text_content()).replace("−", "-")

    def turned(self) -> str:
        """Return all arrangements as drawn, and so how solids are turned, to a tenth of a pixel or so."""
        drawn = self.page.locator("svg.arrangement:visible").evaluate_all(
            "all => all.map((one) => one.innerHTML).join()"
        )
        return re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}", drawn)

    def rows(self, panel: str) -> list[list[str]]:
        """Return the cells of the table in a panel."""
        rows = self.page.locator(f".panel:has(h3:text-is('{panel}')) tbody tr").all()
        return [[cell.replace("−", "-") for cell in row.locator("td").all_text_contents()] for row in rows]


def read_number(text: str) -> float:
    """Read a number such as 0.5 or 1.5 × 10⁻⁷."""
    digits = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--")
    return float(text.replace(" × 10", "e").translate(digits))


def test_a_custom_sweep_has_its_place(browser: Any, tmp_path: Path) -> None:
    """The page shows the models of a custom sweep as trained, up to rotation and the order of equivalent features."""
    config, rng = parse(CUSTOM), torch.Generator().manual_seed(0)
    (tmp_path / "weights").mkdir()
    results = {}
    for name, sweep in config.sweeps.items():
        shapes = Model.of(sweep).shapes()
        parameters = {k: torch.randn(sweep.size, 1, *shape, generator=rng) for k, shape in shapes.items()}
        loss = torch.rand(sweep.size, 1, generator=rng, dtype=torch.float64)
        results[name] = SweepResult(sweep, parameters, loss, 0 * loss)
        results[name].save(tmp_path / f"weights/{name}.safetensors")
    path = tmp_path / "explorer.html"
    path.write_text(page.render(page.collect(tmp_path, config), PAGE / "index.html.j2"), encoding="utf-8")
    kinds = {"pairs": ("gram", "points", "dimensionality"), "neurons": ("gram", "dimensionality")}
    assert [*addresses(config)] == [f"{name}_{kind}" for name in kinds for kind in kinds[name]]
    reader = Reader(browser, path)
    points = results["pairs"].points
    norms = results["pairs"].best()["W"].norm(dim=1)
    for k, point in enumerate(points.itertuples()):
        reader.open(f"pairs_gram&density={point.density}&distribution={k % 2}")
        assert float(reader.fact("loss")) == pytest.approx(point.loss, rel=1e-4)
        shown = sorted(float(row[1]) for row in reader.rows("Features"))
        assert shown == pytest.approx(sorted(norms[k].tolist()), abs=6e-4)
    reader.open("neurons_gram")
    assert reader.page.locator(".stack").count() == 6
    assert reader.problems == []


MADE = next((p for p in (ROOT / "results/paper", ROOT / "results/quick") if (p / "explorer.html").exists()), None)


@pytest.fixture(scope="module")
def loaded(browser: Any) -> Reader:
    if MADE is None:
        pytest.skip("there is no results/quick/explorer.html")
    return Reader(browser, MADE / "explorer.html")


@pytest.fixture
def reader(loaded: Reader) -> Iterator[Reader]:
    """Return the page that all tests share; nothing may go wrong in it."""
    loaded.page.set_viewport_size({"width": 1200, "height": 900})
    loaded.problems.clear()
    yield loaded
    assert loaded.problems == []


def table(figure: str, name: str) -> pd.DataFrame:
    assert MADE is not None
    return pd.read_csv(MADE / "tables" / figure / f"{name}.csv")


def test_every_figure_of_the_paper_has_a_view() -> None:
    """In the paper's configuration, and at scale quick."""
    for config in CONFIGS.values():
        assert addresses(config).keys() == config.figures.keys()


@pytest.mark.quick
@pytest.mark.parametrize("width", [1200, 400])
def test_every_view_opens(reader: Reader, width: int) -> None:
    """Every view opens without errors, requests or scrolling sideways, and every control has a name."""
    text = reader.path.read_text(encoding="utf-8")
    # D3 names its own page, and the namespaces of XML.
    named = set(re.findall(r"https?://[^\s\"'<]*", text))
    assert {url for url in named if not url.startswith("http://www.w3.org/")} == {"https://d3js.org"}
    assert len(text) < 8e6
    reader.page.set_viewport_size({"width": width, "height": 900})
    reader.open("")
    views = reader.page.eval_on_selector_all("nav option", "options => options.map((o) => o.value)")
    assert len(views) > 10
    for view in views:
        reader.open(view)
        assert reader.page.locator("nav option:checked").get_attribute("value") == view
        assert reader.page.evaluate("document.documentElement.scrollWidth") == width, view
        assert width < 1000 or reader.nameless() == [], view


@pytest.mark.quick
@pytest.mark.parametrize("figure", ["phase_2in1", "phase_3in2"])
def test_pointing_at_a_phase_diagram(reader: Reader, figure: str) -> None:
    """Losses, phases and W are shown at the point chosen with the mouse or the keyboard."""
    grid, names = table(figure, "grid"), {"absent": 0, "superposition": 1, "dedicated": 2}
    words = ("absent", "in superposition", "in a dedicated dimension")
    reader.open(figure)
    diagram = reader.page.locator(".maps svg").nth(1)
    box = diagram.bounding_box()
    for place in ((0.3, 0.6), (0.8, 0.2), None):
        if place:
            reader.page.mouse.move(box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"])
        else:
            diagram.press("ArrowRight")
        reader.settle()
        found = dict(re.findall(r"(\w+)=([\d.e-]+)", reader.page.url))
        here = grid[
            np.isclose(grid["density"], float(found["density"]))
            & np.isclose(grid["relative_importance"], float(found["r"]))
        ]
        here = here.set_index("panel")
        rows = {row[0]: row for row in reader.rows("Models")}
        for name, panel in (("fixed", "prototypes"), ("optimum", "optimum"), ("trained, 1.", "trained")):
            assert read_number(rows[name][1]) == pytest.approx(here.loc[panel, "loss"], rel=1e-4)
        # The weights of the fixed configuration, which are whole numbers, have its loss.
        *W, b = ([float(v) for v in re.findall(r"[-\d.]+", cell)] for cell in rows["fixed"][2:])
        model = Model("relu_output", len(W), len(W[0]))
        given = {"W": torch.tensor([W]).mT.double(), "b": torch.tensor([b]).double()}
        p, r = (torch.tensor(float(found[key])) for key in ("density", "r"))
        importance = torch.tensor([[*[1.0] * (len(W) - 1), r]]).double()
        loss = exact.expected_loss(model, given, p.expand(1, len(W)).double(), importance)
        assert loss.item() == pytest.approx(here.loc["prototypes", "loss"], rel=0.01)
        for name, panel in (("optimum", "optimum"), ("best trained", "trained"), ("fixed configuration", "prototypes")):
            assert reader.fact(f"extra feature, {name}") == words[names[here.loc[panel, "phase"]]]


@pytest.mark.quick
def test_moving_a_slider(reader: Reader) -> None:
    """Sliders lead to the pentagon at the next density, a model at another step, and a neuron at the next density."""
    solutions = table("pentagon_solutions", "solutions").drop_duplicates("relative_density").reset_index(drop=True)
    reader.open(f"pentagon_loss&relative_density={solutions['relative_density'][3]}")
    for k in (3, 4):
        assert float(reader.fact("loss")) == pytest.approx(solutions["loss"][k], rel=1e-4)
        assert reader.fact("arrangement") == solutions["kind"][k]
        reader.page.locator("input[type=range]").press("ArrowRight")
    reader.open("energy_levels&step=0")
    for key in ("Home", "End"):
        reader.page.locator("input[type=range]").press(key)
        step = int(reader.fact("step"))
        assert table("energy_levels", "losses")["step"].eq(step).any()
        shown = table("energy_levels", "models").query("shown")["restart"].iloc[0]
        loss = table("energy_levels", "losses").set_index("step")[f"l{shown}"][step]
        assert float(reader.fact("loss")) == pytest.approx(loss, rel=1e-4)
    weights = table("absolute_neurons", "weights")
    reader.open(f"absolute_neurons&density={weights['density'].iloc[0]}&neuron=2")
    reader.page.locator("input[type=range]").press("ArrowRight")
    density = weights["density"].drop_duplicates().tolist()[1]
    largest = weights[(weights["density"] == density) & (weights["neuron"] == 1)].set_index("feature")["weight"].abs()
    assert int(reader.rows("The neuron chosen")[0][0]) - 1 == largest.idxmax()
    codes = table("privileged_neurons", "features")
    density = codes["density"].iloc[len(codes) // 2]
    codes = codes[codes["density"] == density].set_index("feature")["code"]
    for neuron in range(5):
        reader.open(f"privileged_neurons&density={density}&neuron={neuron + 1}")
        shown = {int(row[0]) - 1: row[-1] for row in reader.rows("The neuron chosen")}
        assert shown == {i: codes[i] for i in shown}


@pytest.mark.quick
@pytest.mark.parametrize(
    ("figure", "experiment"),
    [
        ("introduction", "introduction"),
        ("basic_small", "basic_small_linear"),
        ("basic_large", "basic_large"),
        ("polytopes", "polytopes_3_8"),
        ("correlated_organization", "organization_6"),
        ("local_bases", "local_bases"),
        ("collapse", "collapse"),
        ("adversarial_training", "adversarial_training"),
        ("l1_penalty", "l1_falling"),
        ("five_features", "five_uniform"),
    ],
)
def test_every_sweep_shows_its_models(reader: Reader, figure: str, experiment: str) -> None:
    """The best models of the first two densities have their losses, norms and biases."""
    models = SweepResult.load(reader.path.parent / f"weights/{experiment}.safetensors")
    points, best = models.points, models.best()
    # The first point: a number for every axis, and the place of the distribution.
    start = points.loc[0, [name for name in models.sweep.coordinates if name != "distribution"]]
    reader.open("&".join([f"{figure}&sweep={experiment}&distribution=0", *map("{0[0]}={0[1]}".format, start.items())]))
    for density in points["density"].drop_duplicates().tolist()[:2]:
        k = int(np.argmax(points["density"] == density))
        assert float(reader.fact("loss")) == pytest.approx(points["loss"].iloc[k], rel=1e-4)
        rows = np.array([row[1:3] for row in reader.rows("Features")], dtype=float)
        for shown, expected in zip(rows.T, (best["W"][k].norm(dim=0), best["b"][k]), strict=True):
            assert sorted(shown) == pytest.approx(sorted(expected.tolist()), abs=2e-3)
        if models.sweep.size > 1:
            reader.page.locator("input[type=range]").first.press("ArrowRight")


@pytest.mark.quick
def test_the_chart_beside_a_sweep_moves_its_slider(reader: Reader) -> None:
    """A click and the arrow keys move the slider, and what is known at that density stands beside the model."""
    best = table("collapse", "best").drop_duplicates("density").sort_values("density", ascending=False)
    reader.open("collapse")
    chart = reader.page.locator(".panel:has(h3:text-is('Losses of the branches')) svg")
    box = chart.bounding_box()
    chart.click(position={"x": box["width"] * 0.6, "y": box["height"] / 2})
    for key in (None, "ArrowRight", "ArrowLeft"):
        if key:
            chart.press(key)
        shown = best.iloc[int(reader.page.locator("input[type=range]").input_value())]
        assert float(reader.fact("loss")) == pytest.approx(shown["loss"], rel=1e-4)
        assert int(reader.fact("collapsed pairs")) == shown["collapsed"]
    assert 0 < int(reader.page.locator("input[type=range]").input_value()) < len(best) - 1


@pytest.mark.quick
@pytest.mark.parametrize(
    ("figure", "fact", "column"),
    [
        ("local_bases", "between the sets", "between"),
        ("adversarial_training", "features per dimension", "features_per_dimension"),
        ("l1_penalty", "clean loss", "clean_loss"),
        ("five_features", "represented features", "represented"),
    ],
)
def test_what_the_table_says_stands_beside_the_model(reader: Reader, figure: str, fact: str, column: str) -> None:
    """The number in the table stands beside the model at the last density of the first sweep."""
    rows = table(figure, "models")
    rows = rows[rows["best"]] if "best" in rows else rows
    name = next(name for name in ("experiment", "values", "distribution") if name in rows)
    rows = rows[rows[name] == rows[name].iloc[0]]
    last = rows[rows["density"] == rows["density"].min()].iloc[0]
    settings = "".join(
        f"&{axis}={last[axis]}" for axis in ("attack", "l1", "seed", "relative_importance") if axis in last
    )
    reader.open(f"{figure}&distribution=0&density=1{settings}")
    assert reader.page.locator("main option:checked", has_text="binary").count() == (figure == "five_features")
    reader.page.locator("input[type=range]").first.press("End")
    assert float(reader.fact(fact)) == pytest.approx(last[column], rel=1e-3)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("figure", "chart", "rows", "column", "by"),
    [
        ("phase_kinks/slopes", "∂L / ∂r, n = 3, m = 2", "features == 3 and variable == 'r'", "slope", "value fixed"),
        ("direction_left_out/strategies", "Loss of W ⊥ (1, 1, 1, …) over that of W ⊥ (1, 1, 0, …)", "n > 0",
         "100 * (simplex_loss / digon_loss - 1)", "density n"),
        ("sparse_autoencoder/autoencoders", "Unexplained share of ‖h‖²", "density == density.max()", "unexplained",
         "elements penalty"),
        ("nonlinear_compression/errors", "Error of two values in one number", "Z > 0", "error", "width Z"),
    ],
)  # fmt: skip
def test_curves_have_the_values_of_the_table(
    reader: Reader, figure: str, chart: str, rows: str, column: str, by: str
) -> None:
    """At the first place, at the next, which an arrow key in the chart reaches, and at the last."""
    view, name = figure.split("/")
    x, line = by.split()
    given = table(view, name).query(rows)
    values = given.assign(shown=given.eval(column)).pivot(index=x, columns=line, values="shown")
    axis = {"value": "relative_importance"}.get(x, x)
    sweep = f"&sweep=density_{given['density'].iloc[0]}" if view == "sparse_autoencoder" else ""
    reader.open(f"{view}{sweep}&{axis}={values.index[0]}")
    drawn = reader.page.locator(f".panel:has(h3:text-is('{chart}')) svg")
    slider = reader.page.locator("input[type=range]").last
    for place, move in ((0, lambda: drawn.press("ArrowRight")), (1, lambda: slider.press("End")), (-1, lambda: None)):
        shown = [read_number(row[1]) for row in reader.rows(chart)]
        assert shown == pytest.approx(values.iloc[place].tolist(), rel=2e-3, abs=1e-12)
        move()


@pytest.mark.quick
def test_a_pair_costs_what_the_table_says(reader: Reader) -> None:
    """At an angle and a density, with the best bias; the arrows are at that angle."""
    rows = table("cost_of_a_pair", "costs").query("output == 'ReLU' and cosine < -0.4")
    row = rows.iloc[len(rows) // 2]
    reader.open(f"cost_of_a_pair&output=0&density={row['density']}&cosine={row['cosine']}")
    assert read_number(reader.fact("loss")) == pytest.approx(row["cost"], rel=1e-4)
    assert read_number(reader.fact("with the best b")) == pytest.approx(row["best_bias"], rel=1e-3)
    matrix = reader.page.locator(".panel:has(h3:text-is('WᵀW')) svg")
    matrix.press("ArrowRight")
    shown = reader.page.locator("output", has_text="W₁·W₂").text_content().replace("−", "-")
    assert float(shown.partition("= ")[2]) == pytest.approx(row["cosine"], abs=1e-3)


@pytest.mark.quick
@pytest.mark.parametrize(
    "view",
    [
        "live&until=50&n=4&m=3", "phase_2in1", "phase_kinks", "phase_activations", "loss_surfaces",
        "feature_dimensionality", "polytopes", "geometric_learning", "pentagon_forms", "absolute_neurons",
    ],
)  # fmt: skip
def test_the_address_keeps_the_state(reader: Reader, view: str) -> None:
    """Whatever the keyboard changes in a view of each kind, the same address shows the same again."""

    def shown() -> str:
        if view.startswith("live"):
            reader.page.wait_for_selector("[data-step='50']")
            return str(reader.page.locator("[data-step]").get_attribute("data-parameters")) + reader.turned()
        return str(reader.page.locator("main").inner_text()) + reader.turned()

    reader.open(view)
    before = shown()
    for slider in reader.page.locator("input[type=range]").all():
        slider.press("ArrowLeft" if slider.input_value() != "0" else "ArrowRight")
    for select in reader.page.locator("main select").all():
        select.press("End")
    for element in reader.page.locator(".chart[tabindex], svg.solid, .stack").all()[:3]:
        for key in ("ArrowDown", "ArrowRight", "Enter"):
            element.press(key)
    reader.settle()
    after, address = shown(), reader.page.url.partition("#")[2]
    assert after != before
    reader.page.goto("about:blank")
    reader.open(address)
    assert shown() == after


@pytest.mark.quick
@pytest.mark.parametrize(
    ("figure", "axes", "rows", "choice"),
    [
        ("phase_activations", ("relative_importance", "density"), "activation == 'tanh'", "tanh"),
        ("loss_surfaces", ("w0", "w1"), "density == density.min() and relative_importance == 1", "the best one"),
    ],
)
def test_pointing_at_a_map(reader: Reader, figure: str, axes: tuple[str, str], rows: str, choice: str) -> None:
    """A click and an arrow key move both sliders to a model, which has the weights, the loss and the phase there."""
    grid = table(figure, "grid" if figure == "phase_activations" else "surface").query(rows)
    reader.open(f"{figure}&relative_importance=1&density={grid['density'].min()}")
    reader.page.locator("select").last.select_option(label=choice)
    panel = "Phase of the extra feature" if "phase" in grid else "Loss over that of an output of 0"
    chart = reader.page.locator(f".panel:has(h3:text-is('{panel}')) svg")
    box = chart.bounding_box()
    chart.click(position={"x": box["width"] * 0.7, "y": box["height"] * 0.3})
    for key in ("ArrowDown", "ArrowRight"):
        reader.settle()
        found = dict(re.findall(r"(\w+)=([\d.e-]+)", reader.page.url))
        here = grid[np.isclose(grid[[*axes]], [float(found[axis]) for axis in axes]).all(axis=1)]
        assert len(here) == 1
        row = here.iloc[0]
        assert float(reader.fact("loss")) == pytest.approx(row["loss" if "loss" in row else "best_bias"], rel=1e-4)
        norms = [float(cells[1]) for cells in reader.rows("Features")]
        assert norms == pytest.approx([abs(row["w0"]), abs(row["w1"])], abs=1e-3)
        assert "phase" not in row or reader.fact("extra feature") == row["phase"]
        chart.press(key)


@pytest.mark.quick
def test_a_pentagon_forms(reader: Reader) -> None:
    """Each model says at any step whether it ends as a pentagon, and its least angle."""
    models = SweepResult.load(reader.path.parent / "weights/pentagon_forms.safetensors")
    runs = table("pentagon_forms", "runs")
    reader.open("pentagon_forms&model=1")
    model, step = reader.page.locator("input[type=range]").all()
    for which in (0, 1):
        ends = "a pentagon" if runs["pentagon"][which] else "no pentagon"
        assert reader.page.locator(".slider output").first.text_content() == f"{which + 1}: {ends}"
        shown = models.snapshot_steps.tolist().index(int(reader.fact("step")))
        x, y = models.snapshots["W"][shown, 0, which].double().numpy()
        turned = np.angle(np.outer(x + 1j * y, 1 / (x + 1j * y)), deg=True)
        assert float(reader.fact("least angle, °")) == pytest.approx(turned[turned > 1e-6].min(), rel=1e-3)
        step.press("ArrowLeft")
        model.press("ArrowRight")


@pytest.mark.quick
def test_solids_turn_and_sliders_play(reader: Reader) -> None:
    """With the keyboard alone, the polytope turns with the model, and the button plays to the last density."""
    rows = table("polytopes", "models").query("n == 8 and m == 3").sort_values("density", ascending=False)
    reader.open(f"polytopes&sweep=polytopes_3_8&density={rows['density'].iloc[0]}")
    solids = reader.page.locator("svg.arrangement.solid")
    before = solids.evaluate_all("solids => solids.map((solid) => solid.innerHTML)")
    solids.nth(1).press("ArrowUp")
    after = solids.evaluate_all("solids => solids.map((solid) => solid.innerHTML)")
    assert len(after) == 2
    assert all(one != other for one, other in zip(before, after, strict=True))
    for name, column in (("trained model", "trained"), ("best product", "best")):
        assert reader.fact(name) == rows[column].iloc[0]
    slider = reader.page.locator("input[type=range]")
    for key in ("End", "ArrowLeft", "ArrowLeft"):
        slider.press(key)
    reader.page.get_by_role("button", name="Play: feature density 1−S").press("Enter")
    reader.page.locator(f".slider output:text-is('{rows['density'].iloc[-1]:g}')").wait_for()
    assert float(reader.fact("loss")) == pytest.approx(rows["trained_loss"].iloc[-1], rel=1e-4)
    reader.page.get_by_role("button", name="Play: feature density 1−S").wait_for()


@pytest.mark.quick
@pytest.mark.parametrize("figure", ["absolute_small", "absolute_zoom", "asymmetric_motif"])
def test_every_neuron_shows_its_weights(reader: Reader, figure: str) -> None:
    """A neuron chosen with the keyboard shows its weights and keeps the focus."""
    weights = table(figure if figure != "absolute_zoom" else "absolute_neurons", "weights")
    if "density" in weights:
        weights = weights[weights["density"] == weights["density"].min()]
        reader.open(f"{figure}&density={weights['density'].iloc[0]}")
    else:
        reader.open(figure)
    reader.page.locator(".stack").nth(1).press("Enter")
    assert reader.page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    expected = weights[weights["neuron"] == 1].set_index("feature")
    for feature, weight, out, *_ in reader.rows("The neuron chosen"):
        row = expected.loc[int(feature) - 1]
        assert [float(weight), float(out)] == pytest.approx([row["weight"], row["out"]], rel=6e-3, abs=1e-3)


@pytest.mark.quick
@pytest.mark.parametrize("prefix", ["", "best_"])
def test_pointing_at_a_feature(reader: Reader, prefix: str) -> None:
    """A feature shows its D_i, norm and factor in every sweep, of trained and of best known models."""
    rows = table("feature_dimensionality", f"{prefix}features").query("factor >= 0 and seed == 0")
    for experiment, models in rows.groupby("experiment"):
        for row in models.iloc[[0, len(models) // 2, -1]].itertuples():
            sweep = f"{experiment}_best" if prefix else experiment
            reader.open(f"dimensions_per_feature&sweep={sweep}&density={row.density}&feature={row.feature + 1}")
            assert float(reader.fact("Dᵢ")) == pytest.approx(row.dimensionality, rel=1e-3)
            assert float(reader.fact("‖Wᵢ‖")) == pytest.approx(row.norm, rel=2e-3)
            assert reader.fact("factor").startswith(row.polytope)


@pytest.mark.quick
def test_the_live_view_trains_as_the_package_does(reader: Reader) -> None:
    """The settings in the address lead to the same weights as in the package."""
    reader.open("live&n=10&m=3&density=0.05&correlated=1+2 3+4&seed=1&steps=1000&until=200")
    reader.page.wait_for_selector("[data-step='200']")
    found = np.array(reader.page.locator("[data-step]").get_attribute("data-parameters").split(), dtype=float)
    spec = SPEC | {"n": 10, "m": 3, "importance": [1] * 10, "density": 0.05, "seed": 1, "steps": 1000, "batch": 1024}
    spec["correlated"] = [[0, 1], [2, 3]]
    expected, rounding = trained(spec)
    assert (np.abs(found - expected) < 2 * rounding).all()


@pytest.mark.quick
def test_every_feature_can_have_a_density_and_an_importance(reader: Reader) -> None:
    """What is written into the table is in the address, and what trains from there is what the package trains."""
    reader.open("live&n=4&density=0.1&steps=400&until=100")
    reader.page.get_by_text("density and importance of every feature").click()
    for label, value in (("relative density of feature 2", "0.5"), ("importance of feature 3", "0.2")):
        reader.page.get_by_label(label, exact=True).fill(value)
        reader.page.keyboard.press("Tab")
    reader.page.wait_for_url(re.compile("densities=1,0.5,1,1.*importances=1,1,0.2,1"))
    reader.open(reader.page.url.partition("#")[2])
    reader.page.wait_for_selector("[data-step='100']")
    assert reader.page.get_by_label("importance of feature 3", exact=True).input_value() == "0.2"
    found = np.array(reader.page.locator("[data-step]").get_attribute("data-parameters").split(), dtype=float)
    uneven = {"n": 4, "batch": 1024, "density_profile": [1, 0.5, 1, 1], "importance": [1, 1, 0.2, 1]}
    expected, rounding = trained(SPEC | uneven, 100)
    assert (np.abs(found - expected) < 2 * rounding).all()


@pytest.mark.quick
@pytest.mark.parametrize(
    ("figure", "experiment"), [("introduction", "introduction"), ("pentagon_solutions", "pentagon")]
)
def test_the_live_view_trains_the_models_of_the_run(reader: Reader, figure: str, experiment: str) -> None:
    """The link beside a model trains it again to the same weights, not only up to rotation."""
    models = SweepResult.load(reader.path.parent / f"weights/{experiment}.safetensors")
    reader.open("&".join([figure, *(f"{axis}={models.points[axis][0]}" for axis in ("density", "relative_density"))]))
    reader.page.get_by_role("link", name="Train this model again here").click()
    reader.page.wait_for_selector(f"[data-step='{models.sweep.steps}']")
    found = np.array(reader.page.locator("[data-step]").get_attribute("data-parameters").split(), dtype=float)
    expected = np.concatenate([models.best()[name][0].flatten() for name in ("W", "b")])
    assert found == pytest.approx(expected, abs=5e-3)


@pytest.mark.quick
def test_the_live_view_knows_the_exact_optimum(reader: Reader) -> None:
    """The lowest loss of the live view is that of the optimum at the same point of the phase diagram."""
    optimum = table("phase_2in1", "grid").query("panel == 'optimum' and relative_importance < 1").iloc[-1]
    reader.open(f"live&n=2&m=1&density={optimum['density']}&decay={optimum['relative_importance']}&until=20")
    reader.page.locator("dt:text-is('lowest loss, exact') + dd:not(:text-is('not known'))").wait_for()
    assert read_number(reader.fact("lowest loss, exact")) == pytest.approx(optimum["loss"], rel=1e-4)
