"""Models few enough in neurons to be seen whole: the exact one, and those with the asymmetric motif."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from superposition import exact, neurons, plotting
from superposition.features import Gates, nonempty
from superposition.paper.absolute.layers import layers, long, matrix
from superposition.weights import Trained

EXACT = 1e-3  # how near to the ideal the exact model's weights are
SAMPLES = 2**18  # that are not empty, to see where an ablation hurts
PAPER_INPUT = 2.0  # the motif is shown with this first input weight, as in the paper
SCALED = ("in_first", "in_second", "out_first", "out_second")  # the shared neuron's weights


# From weights to tables


def is_exact(W: Float[np.ndarray, "m n"], W_out: Float[np.ndarray, "m n"]) -> bool:
    """Whether a model with m = 2n has a “+” and a “-” neuron for every feature, and nothing else."""
    W, W_out = neurons.rescaled(W, W_out)
    main = np.abs(W).argmax(1)
    kinds = {(int(i), bool(W[k, i] > 0)) for k, i in enumerate(main)}
    ideal = np.abs(W) > 0.5
    return bool(
        len(kinds) == len(W) == 2 * W.shape[1]
        and np.abs(np.abs(W) - ideal).max() < EXACT
        and np.abs(W_out - ideal).max() < EXACT
    )


def measure_small(trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    models = trained["absolute_small"]
    loss = models.loss[0].numpy()
    found = [is_exact(*(models.parameters[k][0, r].double().numpy() for k in ("W", "W_out"))) for r in range(len(loss))]
    return {
        "weights": long(*layers(models, 0, int(loss.argmin()))),
        "models": pd.DataFrame({"restart": np.arange(len(loss)), "loss": loss, "exact": found}),
    }


def measure_motif(trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    """Instances of the motif in every model; the model that is shown, and what becomes of it without an inhibitor."""
    models = trained["absolute_motif"]
    sweep = models.sweep
    runs, found = [], []
    for point, density in enumerate(sweep.density):
        for restart, loss in enumerate(models.loss[point].tolist()):
            W, W_out, _ = layers(models, point, restart)
            here = {"density": density, "restart": restart}
            instances = neurons.motifs(W, W_out)
            best = restart == int(models.loss[point].argmin())
            runs.append({**here, "loss": loss, "instances": len(instances), "best": best})
            for motif in instances:
                into = W[motif.shared, [motif.first, motif.second]]
                out = W_out[motif.shared, [motif.first, motif.second]]
                scale = PAPER_INPUT / np.abs(into[0])
                scaled = np.concatenate([into * scale, out / scale])
                found.append({**here, "best": best, **vars(motif), **dict(zip(SCALED, scaled, strict=True))})
    table = pd.DataFrame(runs)
    shown = table[table["best"]].sort_values(["instances", "density"], ascending=False, kind="stable").iloc[0]
    point, restart = sweep.density.index(shown["density"]), int(shown["restart"])
    W, W_out, b = layers(models, point, restart)
    columns = ["density", "restart", "best", *neurons.Motif.__annotations__, *SCALED]
    tables = {
        "models": table,
        "motifs": pd.DataFrame(found, columns=columns),
        "weights": long(W, W_out, b).assign(density=shown["density"], restart=restart),
        "ablations": _ablations(models, point, W, W_out, b),
    }
    return tables | {"numbers": _motif_shown(tables)}


def _ablations(
    models: Trained,
    point: int,
    W: Float[np.ndarray, "m n"],
    W_out: Float[np.ndarray, "m n"],
    b: Float[np.ndarray, " n"],
) -> pd.DataFrame:
    """The loss as trained, and for every instance without one weight: that by which the inhibitor holds the second
    output down, that by which the first feature switches the inhibitor on, or the interfering one.

    ``share``: how much of the rise is in samples in which the first feature switches the shared neuron on.
    """
    sweep = models.sweep
    gates = Gates.of(sweep.densities()[[point]], [sweep.distributions()[point]], has_sets=False)
    x = nonempty(gates, torch.rand(1, sweep.n, SAMPLES, generator=torch.Generator().manual_seed(0)))[0].double()
    importance = torch.from_numpy(sweep.importances()[point])
    some, none = gates.any_from[0, 0].item(), gates.empty[0].item()

    def sampled(W: np.ndarray, W_out: np.ndarray) -> tuple[np.ndarray, float]:
        """Of every sample that is not empty, and of the empty one, each with its weight."""
        p = {"W": torch.from_numpy(W), "W_out": torch.from_numpy(W_out), "b": torch.from_numpy(b)}
        empty = exact.empty_loss(models.model, p, importance).item()
        return some * models.model.loss(p, x, importance).numpy(), none * empty

    trained, empty = sampled(W, W_out)  # no weight changes the empty sample's
    rows: list[dict[str, object]] = [{"instance": 0, "without": "nothing", "loss": trained.mean() + empty}]
    for k, motif in enumerate(neurons.motifs(W, W_out), 1):
        on = (x[:, motif.first] * W[motif.shared, motif.first] > 0).numpy()
        for name, layer, neuron, feature in (
            ("inhibition", W_out, motif.inhibitor, motif.second),
            ("inhibitor's input", W, motif.inhibitor, motif.first),
            ("interference", W_out, motif.shared, motif.second),
        ):
            without = layer.copy()
            without[neuron, feature] = 0
            rise = (sampled(without, W_out) if layer is W else sampled(W, without))[0] - trained
            loss = (trained + rise).mean() + empty
            rows.append({"instance": k, "without": name, "loss": loss, "share": rise[on].sum() / rise.sum()})
    return pd.DataFrame(rows, columns=["instance", "without", "loss", "share"])


def _motif_shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """How often the motif is found, by density."""
    models = tables["models"]
    groups = models.groupby("density", sort=False)
    best = models[models["best"]].set_index("density")["instances"]
    return pd.DataFrame(
        {
            "1-S": [f"{density:g}" for density, _ in groups],
            "instances in the best model": [str(best[density]) for density, _ in groups],
            "instances per model": [f"{runs['instances'].mean():.2f}" for _, runs in groups],
            "models with one or more": [f"{(runs['instances'] > 0).mean():.0%}" for _, runs in groups],
        }
    )


def shown_motifs(data: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The instances in the model that is shown."""
    shown, motifs = data["weights"].iloc[0], data["motifs"]
    return motifs[(motifs["density"] == shown["density"]) & (motifs["restart"] == shown["restart"])]


# From tables to figures


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"


def _heat(ax: Axes, W: Float[np.ndarray, "m n"], title: str) -> None:
    """A layer as a matrix with its numbers, a row for each neuron."""
    ax.imshow(W, cmap=plotting.SIGNED, vmin=-2, vmax=2, aspect="auto")
    for (k, i), value in np.ndenumerate(W):
        if abs(value) >= 0.05:
            ax.text(i, k, _short(value), ha="center", va="center", fontsize=6, color="wk"[int(abs(value) < 1.3)])
    ax.set(title=title, xticks=range(W.shape[1]), yticks=range(len(W)))
    ax.set_xticklabels([str(i + 1) for i in range(W.shape[1])])
    ax.set_yticklabels([str(k + 1) for k in range(len(W))])
    ax.tick_params(length=0)
    ax.spines[:].set(visible=True, linewidth=0.4, color="0.5")


def _graph(ax: Axes, W: Float[np.ndarray, "m n"], W_out: Float[np.ndarray, "m n"]) -> None:
    """Inputs, neurons and outputs from left to right; a line for each weight that counts, as wide as it is large."""
    m, n = W.shape
    place = {"x": np.linspace(1, 0, n), "h": np.linspace(1.08, -0.08, m), "y": np.linspace(1, 0, n)}
    for layer, left, right in ((W, 0.0, 1.0), (W_out, 1.0, 2.0)):
        for (k, i), value in np.ndenumerate(layer):
            if abs(value) > 0.05:
                ends = (place["x"][i], place["h"][k]) if layer is W else (place["h"][k], place["y"][i])
                colour = plotting.SIGNED(0.95 if value > 0 else 0.05)
                ax.plot([left, right], ends, color=colour, lw=1.4 * min(abs(value), 2), zorder=1)
    for column, (name, heights) in enumerate(place.items()):
        for number, height in enumerate(heights, 1):
            ax.scatter(column, height, s=110, color="white", edgecolor="0.3", lw=0.7, zorder=2)
            ax.text(column, height, f"${name}_{number}$", ha="center", va="center", fontsize=6)
    ax.set(xlim=(-0.15, 2.15), ylim=(-0.2, 1.2))
    ax.set_axis_off()


def draw_small(data: dict[str, pd.DataFrame]) -> Figure:
    """Both layers as matrices, the stacks of weights, and the graph of the model."""
    W, W_out = matrix(data["weights"]), matrix(data["weights"], "out")
    fig, axes = plt.subplots(1, 4, figsize=(plotting.PAGE, 2.3), width_ratios=[1, 1, 1.5, 1.7])
    _heat(axes[0], W, "$W_1$")
    _heat(axes[1], W_out, "$W_2^T$")
    axes[0].set(xlabel="feature", ylabel="neuron")
    axes[1].set(xlabel="output")
    colours = [plotting.CATEGORIES[i % 10] for i in range(W.shape[1])]
    plotting.neuron_stacks(axes[2], W, neurons.monosemantic(np.abs(W)), colours)
    signs = ["+" if row[np.abs(row).argmax()] > 0 else "-" for row in W]
    axes[2].set(xlabel="neuron, by feature and sign", ylabel="$|W_1|$", xticks=range(len(W)))
    axes[2].set_xticklabels([f"{np.abs(row).argmax() + 1}{sign}" for row, sign in zip(W, signs, strict=True)])
    _graph(axes[3], W, W_out)
    return fig


def _circuit(ax: Axes, motif: Mapping[str, Any], into: Float[np.ndarray, " n"], out: Float[np.ndarray, " n"]) -> None:
    """One instance: two inputs, the shared neuron, its inhibitor, two outputs, with the measured weights. ``into`` and
    ``out`` are the inhibitor's weights, scaled like the shared neuron's."""
    first, second = motif["first"] + 1, motif["second"] + 1
    places = {
        f"$x_{{{first}}}$": (0, 1),
        f"$x_{{{second}}}$": (0, 0),
        "shared": (1, 0.5),
        "inhibitor": (1, 1.35),
        f"$y_{{{first}}}$": (2, 1),
        f"$y_{{{second}}}$": (2, 0),
    }
    names = list(places)
    lines = [
        (0, 2, motif["in_first"]),
        (1, 2, motif["in_second"]),
        (0, 3, into[motif["first"]]),
        (2, 4, motif["out_first"]),
        (2, 5, motif["out_second"]),
        (3, 5, out[motif["second"]]),
    ]
    for start, end, value in lines:
        (x0, y0), (x1, y1) = places[names[start]], places[names[end]]
        colour = plotting.SIGNED(0.95 if value > 0 else 0.05)
        ax.plot([x0, x1], [y0, y1], color=colour, lw=min(0.5 + abs(value), 4), zorder=1, solid_capstyle="round")
        along = 0.55 if end == 5 and start == 3 else 0.45
        ax.text(
            x0 + along * (x1 - x0),
            y0 + along * (y1 - y0),
            f"{value:.2f}",
            ha="center",
            va="center",
            fontsize=6.5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            zorder=3,
        )
    for name, (x, y) in places.items():
        ax.text(
            x,
            y,
            name,
            ha="center",
            va="center",
            fontsize=7,
            bbox={"facecolor": "white", "edgecolor": "0.3", "boxstyle": "round,pad=0.3", "lw": 0.7},
            zorder=4,
        )
    ax.set(xlim=(-0.25, 2.25), ylim=(-0.25, 1.6))
    ax.set_axis_off()


def draw_motif(data: dict[str, pd.DataFrame]) -> Figure:
    """The model, the first two instances as circuits, and what the second output does with and without inhibition."""
    W, W_out = matrix(data["weights"]), matrix(data["weights"], "out")
    b = data["weights"].query("neuron == 0")["bias"].to_numpy()
    motifs, ablations = shown_motifs(data), data["ablations"]
    fig = plt.figure(figsize=(plotting.PAGE, 4.4))
    left, right = fig.subfigures(1, 2, width_ratios=[1, 1.5])
    heats = left.subplots(1, 2)
    _heat(heats[0], W, "$W_1$")
    _heat(heats[1], W_out, "$W_2^T$")
    heats[0].set(ylabel="neuron", xlabel="feature")
    heats[1].set(xlabel="output", yticks=[])
    left.suptitle(plotting.density_title(data["weights"]["density"].iloc[0]), fontsize=8)
    axes = right.subplots(2, 2, height_ratios=[1.4, 1], squeeze=False)
    slopes = np.linspace(0, 1, 50)
    for (circuit, response), (k, motif) in zip(axes.T, enumerate(motifs.to_dict(orient="records"), 1), strict=False):
        sign = np.sign(W[motif["shared"], motif["first"]])
        scale = np.abs(motif["in_first"] / W[motif["inhibitor"], motif["first"]])
        _circuit(circuit, motif, scale * W[motif["inhibitor"]], W_out[motif["inhibitor"]] / scale)
        names = f"neuron {motif['shared'] + 1}, inhibited by {motif['inhibitor'] + 1}"
        circuit.set_title(f"{names}\n(inputs scaled to {PAPER_INPUT:g})", fontsize=7)
        losses = ablations[ablations["instance"].isin([0, k])].set_index("without")["loss"]
        without = W_out.copy()
        without[motif["inhibitor"], motif["second"]] = 0
        h = np.maximum(slopes[:, None] * sign * W[:, motif["first"]], 0)
        styles = {"inhibition": (without, plotting.CATEGORIES[3]), "nothing": (W_out, plotting.CATEGORIES[2])}
        for name, (layer, colour) in styles.items():
            output = np.maximum(h @ layer + b, 0)[:, motif["second"]]
            label = "as trained" if name == "nothing" else "without inhibition"
            response.plot(slopes, output, color=colour, label=f"{label}, loss {losses[name]:.3f}")
        side = "" if sign > 0 else "-"
        response.set(xlabel=f"${side}x_{{{motif['first'] + 1}}}$ alone", ylabel=f"$y_{{{motif['second'] + 1}}}$")
        response.set_ylim(top=1.5 * response.get_ylim()[1])
        response.legend(loc="upper left", fontsize=6)
    for ax in axes[:, len(motifs) :].ravel():
        ax.set_axis_off()
    return fig
