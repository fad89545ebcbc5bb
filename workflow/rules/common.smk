# Functions with which rules look up the section, the experiments and the code of figures.

# At scale quick the figures of a group share jobs, which are named after the first of them.
GROUPS = {group: figures for group, figures in figure_groups(CONFIG).items() if len(figures) > 1}
SINGLE = [figures[0] for figures in figure_groups(CONFIG).values() if len(figures) == 1]


def section_of(figure):
    """Return the name of a figure's section."""
    return CONFIG.figures[figure].section


def section_title(figure):
    """Return the title of a figure's section."""
    return CONFIG.sections[section_of(figure)].title


def sections_by_figure(*figures):
    """Return the name of the section of each figure."""
    return {figure: section_of(figure) for figure in figures}


def experiments_by_figure(*figures):
    """Return the experiments that each figure needs."""
    return {figure: list(CONFIG.figures[figure].experiments) for figure in figures}


def best_by_figure(*figures):
    """Return the experiments whose best known models each figure shows."""
    return {figure: list(CONFIG.figures[figure].best) for figure in figures}


def best_folders(*figures):
    """Return the folders of the best known models that these figures show."""
    families = dict.fromkeys(family for figure in figures for family in CONFIG.searched(figure))
    return expand(f"{OUT}/best/{{family}}", family=families)


def weights_files(*figures):
    """Return the weights files that these figures need."""
    names = dict.fromkeys(name for figure in figures for name in CONFIG.figures[figure].experiments)
    return expand(f"{OUT}/weights/{{experiment}}.safetensors", experiment=names)


def stage_code(script, stage, *figures):
    """Return the source files that a script runs for one stage of the figures' sections."""
    return sources(f"workflow/scripts/{script}.py", *(f"superposition.paper.{section_of(f)}.{stage}" for f in figures))
