"""The views that serve several figures: sweeps, sweeps with what a table says of their models, and neurons."""

from superposition.pipeline.explorer.packing import int16
from superposition.pipeline.explorer.run import Run
from superposition.pipeline.explorer.sweeps import describe_sweep
from superposition.pipeline.explorer.views.charts import Data, make_chart, make_line


def show_sweeps(run: Run, *experiments: str) -> Data:
    """Show sweeps at any of their points."""
    return {"kind": "sweep", "sweeps": {name: describe_sweep(run.models(name)) for name in experiments}, "charts": {}}


def show_measured(
    run: Run, figure: str, column: str, facts: dict[str, str], chart: tuple[str, str, str] | None = None
) -> Data:
    """Return the sweeps of a figure, with what its table of models says of each point.

    Args:
        run: The run.
        figure: A figure whose table ``models`` has a column ``point`` and those named here.
        column: The column that names the sweep, or ends its name, or says of a single sweep which models are best.
        facts: The columns to show beside a model, by their names on the page.
        chart: An axis of the sweeps, a column drawn over it, with a line for each value of the other axis, and what
            that column is.
    """
    sweeps, charts = {}, {}
    for name in run.config.figures[figure].experiments:
        models = run.models(name)
        rows = run.table(figure, "models").sort_values("point")
        rows = rows[[value is True or name.endswith(str(value)) for value in rows[column]]]
        sweeps[name] = describe_sweep(models, {fact: rows[key].tolist() for fact, key in facts.items()})
        if chart:
            axis, shown, title = chart
            points = models.sweep.points()
            (by,) = (key for key in points if key not in (axis, "seed") and points[key].nunique() > 1)
            means = rows.assign(**{by: points[by].to_numpy()}).groupby([by, axis], sort=False)[shown].mean()
            lines = [
                make_line(f"1−S = {value}" if by == "density" else value, line.index.get_level_values(axis), line)
                for value, line in means.groupby(by, sort=False)
            ]
            charts[name] = make_chart(title[0].upper() + title[1:], axis, title, lines)
    return {"kind": "sweep", "sweeps": sweeps, "charts": charts}


def show_neurons(run: Run, figure: str) -> Data:
    """Return the weights of neurons by density, from the table of the figure."""
    table, sweep = run.table(figure, "weights"), run.config.sweeps[run.config.figures[figure].experiments[0]]
    if "density" not in table:
        table = table.assign(density=sweep.density[0])
    shape = (table["density"].nunique(), table["neuron"].nunique(), table["feature"].nunique())
    return {
        "kind": "neurons",
        "signed": sweep.signed,
        "density": table["density"].drop_duplicates().tolist(),
        "W": int16(table["weight"].to_numpy().reshape(shape)),
        "out": int16(table["out"].to_numpy().reshape(shape)) if "out" in table else None,
    }
