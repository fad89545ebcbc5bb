"""Where the page shows each figure: all that the report needs of the page, without PyTorch."""

from superposition.pipeline.configuration.config import CUSTOM, Config

# Largest number of features of a custom sweep with a view.
MAX_FEATURES = 500
# The figures of each view, and those about the same models, with the settings that a link from the figure sets. The
# first one gives the view its title.
PAPER_VIEWS: tuple[dict[str, str], ...] = (
    {"introduction": "density=0.1", "interference": "density=0.1"},
    {
        **{"basic_small": "density=0.03", "reading_models": "density=0.3"},
        **{"basic_large": "sweep=basic_large", "theory": ""},
    },
    {"phase_2in1": "r=0.5&density=0.1"},
    {"phase_3in2": "r=0.5&density=0.1"},
    {"phase_kinks": "density=0.3&relative_importance=1"},
    {"phase_activations": "density=0.1&relative_importance=0.5"},
    {"loss_surfaces": "density=0.5&relative_importance=1&w0=1.05&w1=-1.05"},
    {
        **{"feature_dimensionality": "density=0.2", "dimensions_per_feature": "density=0.4", "line_sharpness": ""},
        **{"many_features": "", "adversarial": "sweep=uniform_200_20"},
    },
    {"direction_left_out": "density=0.5"},
    {"polytopes": "sweep=polytopes_3_8&density=0.1", "polygons_and_solids": ""},
    {"pentagon_solutions": "relative_density=1", "pentagon_loss": "relative_density=0.27"},
    {"correlated_organization": "sweep=organization_6&density=0.1"},
    {"local_bases": "density=0.01"},
    {"collapse": "density=0.1"},
    {"energy_levels": ""},
    {"geometric_learning": ""},
    {"adversarial_training": "density=0.1&attack=0&seed=0"},
    {"privileged_neurons": "density=0.1", "privileged_vs_not": ""},
    {"absolute_small": "density=0.1"},
    {"absolute_neurons": "", "absolute_zoom": "density=0.01"},
    {"asymmetric_motif": ""},
    {"l1_penalty": "density=0.1&l1=0"},
    {"sparse_autoencoder": "sweep=density_0.01&elements=100"},
    {"nonlinear_compression": "width=0.1"},
    {"five_features": "density=0.1&relative_importance=1"},
    {"cost_of_a_pair": "density=0.1&cosine=-0.5&output=0"},
    {"pentagon_forms": ""},
)
# The settings of every figure that a view shows.
SETTINGS = {figure: chosen for view in PAPER_VIEWS for figure, chosen in view.items()}


def addresses(config: Config) -> dict[str, str]:
    """Return where the page shows each figure, for links such as ``explorer.html#phase_2in1&r=0.5&density=0.1``."""
    shown = [figure for figures in paper_figures(config) for figure in figures]
    paper = {figure: f"{figure}&{SETTINGS[figure]}" if SETTINGS[figure] else figure for figure in shown}
    return paper | {figure: figure for figures in custom_figures(config).values() for figure in figures}


def paper_figures(config: Config) -> list[list[str]]:
    """Return the figures of every view whose first figure is in the configuration."""
    views = (view for view in PAPER_VIEWS if next(iter(view)) in config.figures)
    return [[figure for figure in view if figure in config.figures] for view in views]


def custom_figures(config: Config) -> dict[str, list[str]]:
    """Return the figures of every custom sweep whose models are small enough to be shown."""
    found: dict[str, list[str]] = {}
    for figure in config.figures_of(CUSTOM) if CUSTOM in config.sections else ():
        (name,) = config.figures[figure].experiments
        if config.sweeps[name].n <= MAX_FEATURES:
            found.setdefault(name, []).append(figure)
    return found
