"""The views of figures that have curves and no models: their tables as lines, with all values at any place."""

from superposition.pipeline.explorer.run import Run
from superposition.pipeline.explorer.views.charts import Data, make_chart, make_line

# By the variable of the slopes: the axis over which they are drawn, what they are, and what every line has fixed.
SLOPES = {"p": ("density", "∂L / ∂p", "r"), "r": ("relative_importance", "∂L / ∂r", "1−S")}
# What was measured of autoencoders, and what it is.
AUTOENCODER_FACTS = {
    "recovered": "features recovered",
    "live": "live elements",
    "unexplained": "unexplained share of ‖h‖²",
    "agreement": "cosine to the next larger dictionary",
}


def show_kinks(run: Run, figure: str) -> Data:
    """Show the derivatives of the theoretical model's optimal loss."""
    charts = []
    for (n, variable), rows in run.table(figure, "slopes").groupby(["features", "variable"]):
        axis, slope, fixed = SLOPES[variable]
        lines = [
            make_line(f"{fixed} = {value:g}", line["value"], line["slope"]) for value, line in rows.groupby("fixed")
        ]
        charts.append(make_chart(f"{slope}, n = {n}, m = {n - 1}", axis, slope, lines))
    return _show({"kinks": ("", charts)})


def show_left_out(run: Run, figure: str) -> Data:
    """Show the direction that the best models leave out, and what leaving out another one costs."""
    optima, strategies, changes = (run.table(figure, name) for name in ("optima", "strategies", "changes"))
    components = [make_line(f"component {k + 1}", optima["density"], optima[f"v{k}"]) for k in range(3)]
    excess = [
        make_line(f"n = {n}", rows["density"], 100 * (rows["simplex_loss"] / rows["digon_loss"] - 1))
        for n, rows in strategies.groupby("n")
    ]
    marks = [{"at": row.density, "name": f"n = {row.n} changes at {row.density:.3f}"} for row in changes.itertuples()]
    charts = [
        make_chart("Direction v left out by the best W of three features", "density", "|vᵢ|", components),
        make_chart(
            "Loss of W ⊥ (1, 1, 1, …) over that of W ⊥ (1, 1, 0, …)", "density", "excess, %", excess, marks=marks
        ),
    ]
    return _show({"directions": ("", charts)})


def show_autoencoders(run: Run, figure: str) -> Data:
    """Show what autoencoders find in the hidden activations of each model, by their size and penalty."""
    sets = {}
    for density, models in run.table(figure, "autoencoders").groupby("density", sort=False):
        charts = [
            make_chart(
                title[0].upper() + title[1:],
                "elements",
                title,
                [
                    make_line(f"penalty {value:g}", rows["elements"], rows[key])
                    for value, rows in models.groupby("penalty")
                ],
            )
            for key, title in AUTOENCODER_FACTS.items()
        ]
        sets[f"density_{density}"] = (f"1−S = {density:g}: {models['features'].iloc[0]} features", charts)
    return _show(sets)


def show_compression(run: Run, figure: str) -> Data:
    """Show the error of two values in one number by the width of the segments of the floor."""
    errors, crossings = (run.table(figure, name) for name in ("errors", "crossings"))
    lines = [make_line(f"Z = {Z}", rows["width"], rows["error"]) for Z, rows in errors.groupby("Z")]
    marks = [{"at": row.crossing, "name": f"no better than linear, Z = {row.Z}"} for row in crossings.itertuples()]
    chart = make_chart("Error of two values in one number", "width", "mean squared error", lines, log=True, marks=marks)
    return _show({"errors": ("", [chart])})


def _show(sets: dict[str, tuple[str, list[Data]]]) -> Data:
    """Return sets of charts, each with its title, and the places on their axes at which their lines have values."""
    shown = {}
    for name, (title, charts) in sets.items():
        places: dict[str, set[float]] = {}
        for chart in charts:
            places.setdefault(chart["axis"], set()).update(x for line in chart["lines"] for x in line["x"])
        shown[name] = {"title": title, "axes": [[axis, sorted(xs)] for axis, xs in places.items()], "charts": charts}
    return {"kind": "curves", "sweeps": shown}
