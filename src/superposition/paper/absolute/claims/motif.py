"""Judge the motif of asymmetric superposition with inhibition."""

from superposition.analysis.rows import listed
from superposition.paper.absolute import motifs_of_shown_model
from superposition.pipeline.judging.claims import Claims, Finding, Tables
from superposition.pipeline.judging.criteria import Criterion, above, above_half

claims = Claims("absolute")


@claims.add(
    figure="asymmetric_motif",
    paper="In a model with limited superposition, a neuron represents two features with unequal weights, such as "
    "[2, -½] in and [½, 2] out, so that one interferes heavily; another neuron inhibits where this would be positive. "
    "The motif occurs twice",
    phrase="another neuron heavily inhibit the feature",
    criteria=[
        Criterion("instances in the model shown", above(1.5, "midpoint", "between one and the paper's two"), ".0f"),
        Criterion(
            "least loss without an inhibiting weight, over the loss with it",
            above(1, "the paper", "it inhibits"),
            ".1f",
        ),
        above_half(
            "least share of the rise of the loss, without the first feature's input to the inhibitor, that is in "
            "samples in which this feature activates the shared neuron",
            "half of the samples with the feature",
            ".1%",
        ),
    ],
)
def motif(data: Tables) -> Finding:
    tables = data["asymmetric_motif"]
    motifs, ablations, models = motifs_of_shown_model(tables), tables["ablations"], tables["models"]
    before = ablations.query("without == 'nothing'")["loss"].iloc[0]
    without = ablations.set_index("without")
    names = [name for name in ("inhibition", "inhibitor's input") if name in without.index]
    found = models[models["best"] & (models["instances"] >= 2)]
    return Finding(
        [len(motifs), (without.loc[names, "loss"] / before).min(), without.loc[names[1:], "share"].min()],
        text="weights "
        + listed(motifs, "[{in_first:.2g}, {in_second:.2g}] in, [{out_first:.2g}, {out_second:.2g}] out", "; "),
        note="An instance is found by rule: both features are computed at least to a half, with input weights that "
        f"differ at least twofold. Two instances are in the best model at {len(found)} of "
        f"{models['density'].nunique()} densities, one or more in {(models['instances'] > 0).mean():.0%} of all models",
    )


claims.leave_out(
    "other_weights",
    paper="A few other weights in the model with the motif are, they believe, effectively small conditional biases",
    phrase="effectively small conditional biases",
    why="The paper's weights are shown as a picture only; which weights of another model are meant is not defined.",
)
