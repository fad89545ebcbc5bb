"""Superposition in a privileged basis: a ReLU in the hidden layer gives the neurons a meaning of their own."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from matplotlib.figure import Figure
from scipy.stats import binomtest, kstest

from superposition import neurons, plotting
from superposition.claims import Claims, Finding, Tables
from superposition.features import Gates, nonempty
from superposition.training import losses
from superposition.weights import Trained

claims = Claims("privileged")

MODELS = {  # by experiment
    "privileged_linear": "linear hidden layer",
    "privileged": "ReLU hidden layer",
    "privileged_bias": "ReLU hidden layer with a bias",
}
SHOWN = 0.5  # the density at which W is shown: every neuron has one feature
COMPARED = 100  # restarts of each model that are compared
ROTATIONS = 999  # random rotations of the hidden space that a model is compared with
RANKED = 20  # models of each density that are ranked again, by a draw of PRECISE numbers
FEW = 5  # and of those of the kind that the paper finds there
PRECISE = 2**26
NEAR = 0.01  # of the lowest loss, within which another model is as good
THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


class Regime(NamedTuple):
    """What the paper finds in a range of densities."""

    low: float
    high: float
    one: int  # neurons with one feature
    others: int  # features in the other neurons
    code: Literal["", "binary", "pairs"]  # no two features the same; every feature two neurons (how many: not stated)
    text: str


PAPER = (
    Regime(0.5, 1.0, 5, 0, "", "5 alone"),
    Regime(0.2, 0.499, 3, 3, "binary", "3 alone, 3 features in 2 as a binary code"),
    Regime(0.15, 0.15, 2, 5, "", "2 alone, 5 features in 3"),
    Regime(0.12, 0.12, 1, 6, "", "1 alone, 6 features in 4"),
    Regime(0.05, 0.08, 0, 8, "", "0 alone, 8 features in 5"),
    Regime(0.0, 0.04, 0, 0, "pairs", "0 alone, all as pairs"),
)


# From weights to tables


def measure(figure: str, trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    """The table ``numbers`` is what the report shows beside the figure."""
    return _compare(trained) if figure == "privileged_vs_not" else _codes(trained["privileged"])


def concentration(W: Float[np.ndarray, "*batch m n"]) -> Float[np.ndarray, "*batch"]:
    """Σ W_ki⁴ / (Σ W_ki²)²: of all rotations of the hidden space, largest where weights lie along the neurons."""
    square = W**2
    return (square**2).sum((-2, -1)) / square.sum((-2, -1)) ** 2


def rotations(m: int, count: int) -> Float[np.ndarray, "count m m"]:
    """Random rotations and reflections, all equally likely; the same on every call."""
    q, r = np.linalg.qr(np.random.default_rng(0).normal(size=(count, m, m)))
    return q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]


def alignment(W: Float[np.ndarray, "*batch m n"]) -> Float[np.ndarray, "*batch"]:
    """The share of random rotations of W whose weights are less concentrated on the neurons than those of W itself.

    Uniform on [0, 1] for a model that does not know its neurons.
    """
    turned = rotations(W.shape[-2], ROTATIONS) @ W[..., None, :, :]
    return (concentration(turned) < concentration(W)[..., None]).mean(-1)


def _compare(trained: dict[str, Trained]) -> dict[str, pd.DataFrame]:
    densities = trained["privileged_linear"].sweep.density
    weights, aligned, runs, turned = [], [], [], []
    for experiment, name in MODELS.items():
        models = trained[experiment]
        for density in densities:
            point = models.sweep.density.index(density)
            kept = min(COMPARED, models.sweep.restarts)
            W = models.parameters["W"][point, :kept].double().numpy()
            here = {"model": name, "density": density}
            aligned.append(pd.DataFrame({**here, "restart": np.arange(kept), "alignment": alignment(W)}))
            best = {k: v[point] for k, v in models.best().items()}
            runs.append(
                {
                    **here,
                    "loss": models.loss[point].min().item(),
                    "loss_error": models.loss_error[point, models.loss[point].argmin()].item(),
                    "least_bias": best["b_hidden"].min().item() if "b_hidden" in best else np.nan,
                    "on": _on_share(models, point),
                }
            )
            if density == SHOWN:
                W = best["W"].numpy()
                W = W[neurons.order(W)]
                weights.append(_long(W).assign(model=name))
                loss = _loss_of_rotated(models, point)
                turned.append(pd.DataFrame({"model": name, "rotation": np.arange(len(loss)), "loss": loss}))
    tables = {
        "weights": pd.concat(weights),
        "alignment": pd.concat(aligned),
        "models": pd.DataFrame(runs),
        "rotated": pd.concat(turned),
    }
    return tables | {"numbers": _comparison_shown(tables)}


def _long(W: Float[np.ndarray, "m n"]) -> pd.DataFrame:
    neuron, feature = np.indices(W.shape)
    return pd.DataFrame({"neuron": neuron.ravel(), "feature": feature.ravel(), "weight": W.ravel()})


def _on_share(models: Trained, point: int) -> float:
    """How much of the time, of the samples that are not empty, a hidden unit of the best model is above 0."""
    sweep = models.sweep
    gates = Gates.of(sweep.densities()[[point]], [sweep.distributions()[point]], has_sets=False)
    uniform = torch.rand(1, gates.rows, 2**16, generator=torch.Generator().manual_seed(0))
    x = nonempty(gates, uniform).double()
    best = {k: v[[point]] for k, v in models.best().items()}
    h = x @ best["W"].mT + best.get("b_hidden", torch.zeros(1, sweep.m, dtype=torch.float64))[:, None]
    return (h > 0).double().mean().item()


def _loss_of_rotated(models: Trained, point: int) -> np.ndarray:
    """The loss of the best model, and of the same with its hidden space turned (the hidden bias with it), in order."""
    best = {k: v[point] for k, v in models.best().items()}
    turns = torch.cat([torch.eye(models.sweep.m)[None], torch.from_numpy(rotations(models.sweep.m, 20)).float()])
    count = len(turns)
    parameters = {"W": turns @ best["W"].float(), "b": best["b"].float().expand(count, -1)}
    if "b_hidden" in best:
        parameters["b_hidden"] = turns @ best["b_hidden"].float()
    sweep = models.sweep.model_copy(update={"density": (models.sweep.density[point],)})
    return losses(sweep, {k: v[None] for k, v in parameters.items()})[0][0].numpy()


def _comparison_shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The models with and without a hidden bias beside those with a linear hidden layer, by density."""
    loss = tables["models"].pivot(index="density", columns="model", values="loss")
    linear, relu, bias = (loss[name] for name in MODELS.values())
    biased = tables["models"].query(f"model == '{MODELS['privileged_bias']}'").set_index("density")
    aligned = tables["alignment"].groupby(["density", "model"])["alignment"].median().unstack()
    out = pd.DataFrame(
        {
            "1-S": loss.index.map("{:g}".format),
            "loss with a ReLU hidden layer, over that with a linear one": (relu / linear).map("{:.3f}".format),
            "the same with a hidden bias": (bias / linear).map("{:.3f}".format),
            "its smallest hidden bias": biased["least_bias"].map("{:.2f}".format),
            "hidden units on": biased["on"].map("{:.1%}".format),
        }
        | {f"alignment, {name} (median)": aligned[name].map("{:.2f}".format) for name in MODELS.values()}
    )
    return out.iloc[::-1]


def _codes(models: Trained) -> dict[str, pd.DataFrame]:
    """The best of all restarts at every density, by a precise draw: what its neurons stand for, and how rare it is."""
    sweep = models.sweep
    W_all = models.parameters["W"].double().numpy()
    precise = sweep.model_copy(update={"evaluation": max(PRECISE, sweep.evaluation)})
    weights, units, features, basins, thresholds = [], [], [], [], []
    for point, density in enumerate(sweep.density):
        here, runs = {"density": density}, models.loss[point].numpy()
        as_stated = np.array([_is_as_stated(density, W) for W in W_all[point]])
        order = np.argsort(runs, kind="stable")
        ranked = np.concatenate([order[:RANKED], order[as_stated[order]][:FEW]])
        at = precise.model_copy(update={"density": (density,)})
        loss, error = (
            part[0].numpy() for part in losses(at, {k: v[[point]][:, ranked] for k, v in models.parameters.items()})
        )
        best = int(loss.argmin())
        W = W_all[point, ranked[best]]
        one = neurons.monosemantic(neurons.drive(W, signed=False))
        W = W[np.lexsort((np.argsort(neurons.order(W)), ~one))]
        drive, code, response = neurons.drive(W, signed=False), neurons.code(W), neurons.response(W)
        one = neurons.monosemantic(drive)
        weights.append(_long(W).assign(**here))
        units.append(pd.DataFrame({**here, "neuron": np.arange(sweep.m), "second": neurons.second(drive), "one": one}))
        features.append(
            pd.DataFrame({**here, "feature": np.arange(sweep.n), "response": response, "code": _words(code)}).assign(
                represented=response > 0.5, alone=code[one].any(0), neurons=code.sum(0)
            )
        )
        kinds = neurons.kinds(W_all[point])
        same = np.array([kind == kinds[ranked[best]] for kind in kinds])
        excess = loss / loss[best] - 1
        basins.append(
            {
                **here,
                "loss": loss[best],
                "loss_error": error[best],
                "restarts": sweep.restarts,
                "same_kind": int(same.sum()),
                "as_good": int((runs <= (1 + NEAR) * runs[ranked[best]]).sum()),
                "median": np.median(runs) / runs[ranked[best]] - 1,
                "other_kind": excess[~same[ranked]].min(initial=np.inf),
                "as_stated": excess[as_stated[ranked]].min(initial=np.inf),
            }
        )
        thresholds += [{**here, "threshold": t, "one": int(neurons.monosemantic(drive, t).sum())} for t in THRESHOLDS]
    tables = {
        "weights": pd.concat(weights),
        "neurons": pd.concat(units),
        "features": pd.concat(features),
        "basins": pd.DataFrame(basins),
        "thresholds": pd.DataFrame(thresholds),
    }
    return tables | {"numbers": _regimes_shown(tables)}


def _stated(density: float) -> Regime | None:
    return next((regime for regime in PAPER if regime.low <= density <= regime.high), None)


def _agrees(stated: Regime, one: int, others: int, codes: Sequence[str]) -> bool:
    """Whether a model is of the stated kind: neurons with one feature, features in the others, and the codes of the
    represented features."""
    if stated.code == "pairs":
        return one == stated.one and all(word.count("●") == 2 for word in codes) and len(set(codes)) == len(codes)
    distinct = len(set(codes)) == len(codes) or not stated.code
    return (one, others) == (stated.one, stated.others) and distinct


def _is_as_stated(density: float, W: Float[np.ndarray, "m n"]) -> bool:
    """Whether a model is of the kind that the paper finds at this density."""
    stated, code = _stated(density), neurons.code(W)
    if stated is None:
        return False
    one, represented = neurons.monosemantic(neurons.drive(W, signed=False)), neurons.response(W) > 0.5
    others = int((represented & ~code[one].any(0)).sum())
    return _agrees(stated, int(one.sum()), others, _words(code[:, represented]))


def _words(code: Bool[np.ndarray, "m k"]) -> list[str]:
    """A feature's neurons, as text (and never as a number, when a table is read): ○●●○○ for the second and the "
    "third."""
    return ["".join("○●"[int(bit)] for bit in word) for word in code.T]


def _at(table: pd.DataFrame, density: float) -> pd.DataFrame:
    return table[table["density"] == density]


def regimes(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """By density: neurons with one feature, features in the others, features that are a pair of neurons; what the paper
    says, and whether it is the same."""
    rows = []
    for density, units in tables["neurons"].groupby("density", sort=False):
        features = _at(tables["features"], density).query("represented")
        found = {
            "density": density,
            "one": int(units["one"].sum()),
            "others": int((~features["alone"]).sum()),
            "pairs": int((features["neurons"] == 2).sum()),
            "represented": len(features),
        }
        stated = _stated(density)
        agrees = stated is not None and _agrees(stated, found["one"], found["others"], list(features["code"]))
        rows.append(found | {"paper": stated.text if stated else "", "agrees": agrees})
    return pd.DataFrame(rows)


def _regimes_shown(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The table of regimes beside the paper's, and how rare the best model is."""
    table, basins = regimes(tables), tables["basins"]
    ours = []
    for row in table.itertuples():
        code = f"{row.others} features in {len(_at(tables['neurons'], row.density)) - row.one}"
        pairs = ", all as pairs" if 0 < row.others == row.pairs else ""
        ours.append(f"{row.one} alone" + (f", {code}{pairs}" if row.others else ""))
    words = tables["features"].query("represented and not alone").groupby("density")["code"].agg(" ".join)

    def percent(value: float) -> str:
        return f"{value:.2%}" if np.isfinite(value) else "–"

    return pd.DataFrame(
        {
            "1-S": table["density"].map("{:g}".format),
            "the paper": table["paper"],
            "neurons with one feature, and the others": ours,
            "the code of the features in the others, by neuron": [words.get(d, "") for d in table["density"]],
            "restarts of this kind": [f"{r.same_kind} of {r.restarts}" for r in basins.itertuples()],
            "within 1 % of its loss": basins["as_good"].astype(str),
            "best of another kind": basins["other_kind"].map(percent),
            "best of the paper's kind": basins["as_stated"].map(percent),
        }
    )


# From tables to figures


def draw(figure: str, data: dict[str, pd.DataFrame]) -> Figure:
    return _draw_compared(data) if figure == "privileged_vs_not" else _draw_codes(data)


def _matrix(weights: pd.DataFrame) -> Float[np.ndarray, "m n"]:
    return weights.pivot(index="neuron", columns="feature", values="weight").to_numpy()


def _draw_compared(data: dict[str, pd.DataFrame]) -> Figure:
    """W of the three models; how they lie to the neurons, what a rotation costs, and what the hidden bias gains."""
    colours = dict(zip(MODELS.values(), plotting.CATEGORIES[:3], strict=True))
    fig, axes = plt.subplots(2, 3, figsize=(plotting.PAGE, 3.7), height_ratios=[1, 1.25])
    for ax, (name, weights) in zip(axes[0], data["weights"].groupby("model", sort=False), strict=True):
        W = _matrix(weights)
        image = ax.imshow(W, cmap=plotting.SIGNED, vmin=-1, vmax=1)
        ax.set(title=name, xticks=range(W.shape[1]), yticks=range(len(W)))
        ax.set_xticklabels([str(i + 1) for i in range(W.shape[1])])
        ax.set_yticklabels([str(k + 1) for k in range(len(W))])
        ax.tick_params(length=0)
        ax.spines[:].set(visible=True, linewidth=0.4, color="0.5")
        ax.title.set_color(colours[name])
    axes[0, 0].set_ylabel("hidden unit")
    axes[0, 1].set_xlabel(f"feature ({plotting.density_title(SHOWN)})")
    bar = fig.colorbar(image, ax=axes[0].tolist(), shrink=0.8, pad=0.01)
    bar.set_label("$W$")
    bar.outline.set_linewidth(0.4)

    aligned, rotated, compared = axes[1]
    bins = np.linspace(0, 100, 21)
    for name, runs in data["alignment"].query(f"density == {SHOWN}").groupby("model", sort=False):
        aligned.hist(100 * runs["alignment"], bins, histtype="step", color=colours[name], lw=1.2)
    aligned.set(xlabel="% of rotations less aligned", ylabel="models", xlim=(0, 100))
    for place, (name, runs) in enumerate(data["rotated"].groupby("model", sort=False)):
        relative = runs["loss"] / runs["loss"].iloc[0]
        rotated.scatter(np.full(len(runs) - 1, place), relative[1:], s=8, color=colours[name], alpha=0.6, lw=0)
        rotated.plot([place - 0.25, place + 0.25], [1, 1], color="k", lw=1)
    rotated.set(xticks=range(3), xlim=(-0.5, 2.5), yscale="log", ylabel="loss, rotated / as trained")
    rotated.set_xticklabels(["linear", "ReLU", "ReLU,\nbias"])
    loss = data["models"].pivot(index="density", columns="model", values="loss")
    for name in list(MODELS.values())[1:]:
        relative = loss[name] / loss[MODELS["privileged_linear"]]
        compared.plot(loss.index, relative, "o-", ms=3, color=colours[name])
    compared.axhline(1, color=colours[MODELS["privileged_linear"]], lw=1)
    compared.set(xscale="log", yscale="log", xlabel="$1-S$", ylabel="lowest loss / linear's")
    for ax in (rotated, compared):
        ax.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
        ax.tick_params(axis="y", which="minor", labelleft=False)
    compared.set_ylim(0.9, 10)
    return fig


def _draw_codes(data: dict[str, pd.DataFrame]) -> Figure:
    """The best model at every density, W above its stacks; how many neurons are alone; how rare the best models are."""
    densities = list(data["neurons"]["density"].unique())
    rows = -(-len(densities) // 7)
    fig = plt.figure(figsize=(plotting.PAGE, 2.45 * rows + 1.8))
    above, below = fig.subfigures(2, 1, height_ratios=[2.45 * rows, 1.8])
    columns = -(-len(densities) // rows)
    axes = above.subplots(2 * rows, columns, height_ratios=[1.25, 1] * rows, squeeze=False)
    table = regimes(data).set_index("density")
    for place, density in enumerate(densities):
        heat, stack = axes[2 * (place // columns) : 2 * (place // columns) + 2, place % columns]
        W = _matrix(_at(data["weights"], density))
        heat.imshow(W.T, cmap=plotting.SIGNED, vmin=-1, vmax=1, aspect="auto")
        heat.set(xticks=[], yticks=range(W.shape[1]), title=plotting.density_title(density))
        heat.set_yticklabels([str(i + 1) for i in range(W.shape[1])] if place % columns == 0 else [])
        heat.tick_params(length=0, labelsize=5)
        heat.spines[:].set(visible=True, linewidth=0.4, color="0.5")
        one = _at(data["neurons"], density)["one"].to_numpy()
        plotting.neuron_stacks(stack, W, one, plotting.CATEGORIES, labels=True)
        stack.tick_params(labelsize=5, length=2)
        row = table.loc[density]
        others = f", {row['others']} in {len(W) - row['one']}" if row["others"] else ""
        stack.set_xlabel(f"{row['one']} alone{others}", fontsize=6.5)
    for ax in axes.ravel()[2 * columns * rows :]:
        ax.set_axis_off()
    for row in range(rows):
        axes[2 * row, 0].set_ylabel("feature")
        axes[2 * row + 1, 0].set_ylabel("$|W_k|$")

    count, rare = below.subplots(1, 2)
    for threshold, rule in data["thresholds"].groupby("threshold"):
        ours = threshold == neurons.MONOSEMANTIC
        style = {"color": "k", "lw": 1.3, "zorder": 2} if ours else {"color": "0.7", "lw": 0.6}
        count.plot(rule["density"], rule["one"], "o-", ms=3 if ours else 1.5, label="ours" if ours else None, **style)
    for regime in PAPER:
        low, high = max(regime.low, min(densities)) / 1.03, regime.high * 1.03
        label = "the paper" if regime is PAPER[0] else None
        count.plot([low, high], [regime.one] * 2, color=plotting.CATEGORIES[1], lw=5, alpha=0.5, zorder=1, label=label)
    count.plot([], [], color="0.7", lw=0.6, label=f"thresholds {THRESHOLDS[0]:g} to {THRESHOLDS[-1]:g}")
    count.set(xscale="log", xlabel="$1-S$", ylabel="neurons with one feature")
    count.legend(loc="upper left")
    basins = data["basins"]
    rare.plot(basins["density"], basins["same_kind"] / basins["restarts"], "o-", ms=3, label="of the best one's kind")
    good = basins["as_good"] / basins["restarts"]
    rare.plot(basins["density"], good, "s-", ms=3, label=f"within {NEAR:.0%} of its loss")
    rare.set(xscale="log", yscale="log", xlabel="$1-S$", ylabel="share of restarts")
    rare.legend(loc="lower right")
    return fig


# Claims


@claims.add(
    "aligned",
    figure="privileged_vs_not",
    paper="Without a hidden activation function W has no preferred basis; with a ReLU its weights are aligned with the "
    "neurons",
    criterion="1-S = 0.5, 100 models each, Σ W_ki⁴ beside that of 999 random rotations: with the ReLU it is above 99 % "
    "of them in at least 95 % of the models; without it in no more than by chance (one in a hundred, binomial, p > "
    "0.01), and no rotation changes the loss by 0.1 %",
)
def aligned(data: Tables) -> Finding:
    tables = data["privileged_vs_not"]
    ranks = tables["alignment"].query(f"density == {SHOWN}").groupby("model")["alignment"]
    linear, relu = (ranks.get_group(MODELS[e]).to_numpy() for e in ("privileged_linear", "privileged"))
    chance = binomtest(int((linear > 0.99).sum()), len(linear), 0.01, "greater").pvalue
    rotated = tables["rotated"].groupby("model")["loss"]
    linear_loss = rotated.get_group(MODELS["privileged_linear"]).to_numpy()
    change = np.abs(linear_loss / linear_loss[0] - 1).max()
    median = rotated.agg(lambda loss: loss.iloc[1:].median() / loss.iloc[0] - 1)[MODELS["privileged"]]
    return Finding(
        f"above 99 % of the rotations in {(relu > 0.99).mean():.0%} of the models with the ReLU and in "
        f"{(linear > 0.99).mean():.0%} of those without (p = {chance:.2g}); a rotation raises the loss by {median:.0%} "
        f"in the median with the ReLU, and changes it by at most {change:.1g} without",
        holds=len(relu) > 0 and (relu > 0.99).mean() >= 0.95 and chance > 0.01 and change < 1e-3,
        note="Without the ReLU the weights are spread over the hidden units more evenly than a random rotation would: "
        f"median rank {np.median(linear):.2f} (Kolmogorov–Smirnov against ½ on average, p = "
        f"{kstest(linear, 'uniform').pvalue:.1g}). The loss knows no hidden unit, but Adam scales the step of every "
        "weight",
    )


@claims.add(
    "bias_escape",
    figure="privileged_vs_not",
    paper="Given a bias in the hidden layer, the model makes it positive and behaves linearly again",
    criterion="at every density all hidden biases of the best model are above 0, and its loss, where the ReLU costs "
    "more than 1 %, makes up at least 95 % of the way from the model without a hidden bias to the one with a linear "
    "hidden layer",
)
def bias_escape(data: Tables) -> Finding:
    models = data["privileged_vs_not"]["models"]
    loss = models.pivot(index="density", columns="model", values="loss")
    linear, relu, bias = (loss[name] for name in MODELS.values())
    matters = relu > 1.01 * linear
    way = ((relu - bias) / (relu - linear))[matters]
    biased = models[models["model"] == MODELS["privileged_bias"]]
    least = np.min(biased["least_bias"].to_numpy(), initial=np.inf)
    return Finding(
        f"smallest hidden bias {least:.2f}; {way.min():.1%} of the way at least, at {len(way)} of {len(loss)} "
        f"densities (without the bias up to {(relu / linear).max():.1f} times the linear one's loss, with it "
        f"{(bias / linear).max():.3f}); hidden units are on {biased['on'].min():.1%} of the time or more",
        holds=bool(least > 0 and len(way) > 0 and np.min(way.to_numpy()) >= 0.95),
        note=_beyond_linear(loss, biased),
    )


def _beyond_linear(loss: pd.DataFrame, biased: pd.DataFrame) -> str:
    """Where the model with a hidden bias is better than a linear hidden layer: it is not linear there."""
    better = loss[loss[MODELS["privileged_bias"]] < 0.999 * loss[MODELS["privileged_linear"]]]
    on = biased.set_index("density")["on"]
    parts = [
        f"{1 - row[MODELS['privileged_bias']] / row[MODELS['privileged_linear']]:.1%} at 1-S = {density:g}, where "
        f"units are on {on[density]:.0%} of the time"
        for density, row in better.iterrows()
    ]
    return "It is better than a linear hidden layer by " + "; ".join(parts) if parts else ""


@claims.add(
    "regimes",
    figure="privileged_neurons",
    paper="1-S ≥ 0.5: every neuron has one feature; 0.2 to 0.5: three do, three features are a binary code of the "
    "other two; 0.15: two, and five features in three; 0.12: one, and six in four; 0.05 to 0.08: eight features in "
    "five neurons; ≤ 0.04: each feature is a pair of neurons",
    criterion="a neuron has one feature if no second one drives it by a quarter as much as the first: so many neurons "
    "with one feature, and so many features in the others, with codes of the stated kind, at every density; corrected "
    "if it is so at three of four densities at least, and neurons with one feature never become more as density falls",
    expected="corrected",
    at_quick=False,
)
def neuron_regimes(data: Tables) -> Finding:
    tables = data["privileged_neurons"]
    found, basins = regimes(tables), tables["basins"].set_index("density")
    off = found[~found["agrees"]]
    details = [
        f"at 1-S = {row.density:g} the best model has {row.one} alone and {row.others} features in the others"
        + (
            f", the paper's kind a loss {basins.loc[row.density, 'as_stated']:.1%} higher"
            if np.isfinite(basins.loc[row.density, "as_stated"])
            else ", and no model is of the paper's kind"
        )
        for row in off.itertuples()
    ]
    monotone = (found.sort_values("density", ascending=False)["one"].diff().fillna(0) <= 0).all()
    steady = tables["thresholds"].groupby("density")["one"].nunique()
    return Finding(
        f"{int(found['agrees'].sum())} of {len(found)} densities as stated",
        holds=len(found) > 0 and bool(found["agrees"].all()),
        correction="; ".join(details) if len(found) and found["agrees"].mean() >= 0.75 and monotone else "",
        note=f"With thresholds from {THRESHOLDS[0]:g} to {THRESHOLDS[-1]:g} instead of {neurons.MONOSEMANTIC:g} the "
        f"number of neurons with one feature is the same at {int((steady == 1).sum())} of {len(steady)} densities",
    )
