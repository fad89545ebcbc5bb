"""The views of the paper's figures: what each shows of the weights and the tables of a run."""

from collections.abc import Callable

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

# What the tables of models trained against superposition say of each.
REMEDY_FACTS = {"features per dimension": "features_per_dimension", "clean loss": "clean_loss"}
# What each view of the paper's figures shows, by its first figure (see ``addresses``).
VIEWS: dict[str, Callable[[Run], Data]] = {
    "introduction": lambda run: show_sweeps(run, "introduction"),
    "basic_small": lambda run: show_sweeps(
        run, "basic_small", "basic_small_linear", "basic_large", "basic_large_linear"
    ),
    "phase_2in1": lambda run: show_phase_diagram(run, "phase_2in1"),
    "phase_3in2": lambda run: show_phase_diagram(run, "phase_3in2"),
    "phase_kinks": show_kinks,
    "phase_activations": show_activations,
    "loss_surfaces": show_loss_surfaces,
    "feature_dimensionality": show_dimensionality,
    "direction_left_out": show_left_out,
    "polytopes": show_polytopes,
    "pentagon_solutions": show_pentagon,
    "correlated_organization": show_organization,
    "local_bases": lambda run: show_measured(
        run,
        "local_bases",
        "best",
        {"mean (Wᵢ·Wⱼ)² within a set": "within", "between the sets": "between"},
        ("density", "within", "mean (Wᵢ·Wⱼ)² within a set"),
    ),
    "collapse": show_collapse,
    "energy_levels": lambda run: show_training(run, "energy_levels"),
    "geometric_learning": lambda run: show_training(run, "geometric_learning"),
    "adversarial_training": lambda run: show_measured(
        run,
        "adversarial_training",
        "experiment",
        REMEDY_FACTS,
        ("attack", "features_per_dimension", "features per dimension"),
    ),
    "privileged_neurons": lambda run: show_neurons(run, "privileged_neurons"),
    "absolute_small": lambda run: show_neurons(run, "absolute_small"),
    "absolute_neurons": lambda run: show_neurons(run, "absolute_neurons"),
    "asymmetric_motif": lambda run: show_neurons(run, "asymmetric_motif"),
    "l1_penalty": lambda run: show_measured(
        run,
        "l1_penalty",
        "experiment",
        REMEDY_FACTS,
        ("l1", "features_per_dimension", "features per dimension"),
    ),
    "sparse_autoencoder": show_autoencoders,
    "nonlinear_compression": show_compression,
    "five_features": show_five_features,
    "cost_of_a_pair": show_pairs,
    "pentagon_forms": show_forming_pentagons,
}
