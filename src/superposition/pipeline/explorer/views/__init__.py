"""The views of the paper's figures: what each shows of the weights and the tables of a run."""

from collections.abc import Callable
from functools import partial

from superposition.pipeline.explorer.run import Run
from superposition.pipeline.explorer.views.charts import Data
from superposition.pipeline.explorer.views.curves import show_autoencoders, show_compression, show_kinks, show_left_out
from superposition.pipeline.explorer.views.geometry import (
    show_collapse,
    show_dimensionality,
    show_five_features,
    show_organization,
    show_pairs,
    show_pentagon,
    show_polytopes,
)
from superposition.pipeline.explorer.views.learning import show_forming_pentagons, show_training
from superposition.pipeline.explorer.views.models import show_measured, show_neurons, show_sweeps
from superposition.pipeline.explorer.views.phases import show_activations, show_loss_surfaces, show_phase_diagram

# Whether superposition was removed from each model.
_remedy = partial(
    show_measured,
    column="experiment",
    facts={"features per dimension": "features_per_dimension", "clean loss": "clean_loss"},
)
# What each view of the paper's figures shows, by its first figure (see ``addresses``): a function of that figure.
VIEWS: dict[str, Callable[[Run, str], Data]] = {
    "introduction": show_sweeps,
    "basic_small": lambda run, small: show_sweeps(run, small, f"{small}_linear", "basic_large", "basic_large_linear"),
    "phase_2in1": show_phase_diagram,
    "phase_3in2": show_phase_diagram,
    "phase_kinks": show_kinks,
    "phase_activations": show_activations,
    "loss_surfaces": show_loss_surfaces,
    "feature_dimensionality": show_dimensionality,
    "direction_left_out": show_left_out,
    "polytopes": show_polytopes,
    "pentagon_solutions": show_pentagon,
    "correlated_organization": show_organization,
    "local_bases": partial(
        show_measured,
        column="best",
        facts={"mean (Wᵢ·Wⱼ)² within a set": "within", "between the sets": "between"},
        chart=("density", "within", "mean (Wᵢ·Wⱼ)² within a set"),
    ),
    "collapse": show_collapse,
    "energy_levels": show_training,
    "geometric_learning": show_training,
    "adversarial_training": partial(_remedy, chart=("attack", "features_per_dimension", "features per dimension")),
    "privileged_neurons": show_neurons,
    "absolute_small": show_neurons,
    "absolute_neurons": show_neurons,
    "asymmetric_motif": show_neurons,
    "l1_penalty": partial(_remedy, chart=("l1", "features_per_dimension", "features per dimension")),
    "sparse_autoencoder": show_autoencoders,
    "nonlinear_compression": show_compression,
    "five_features": show_five_features,
    "cost_of_a_pair": show_pairs,
    "pentagon_forms": show_forming_pentagons,
}
