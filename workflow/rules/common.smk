# What the rules ask of the configuration about figures.

# At scale quick the figures of a group share jobs, by the first of them; the others have jobs of their own.
GROUPS = {group: figures for group, figures in figure_groups(CONFIG).items() if len(figures) > 1}
ALONE = [figures[0] for figures in figure_groups(CONFIG).values() if len(figures) == 1]


def section(figure):
    return CONFIG.figures[figure].section


def title(figure):
    """Of its section."""
    return CONFIG.sections[section(figure)].title


def experiments(*figures):
    """By figure."""
    return {figure: list(CONFIG.figures[figure].experiments) for figure in figures}


def weights(*figures):
    """Those of all their experiments."""
    names = dict.fromkeys(name for figure in figures for name in CONFIG.figures[figure].experiments)
    return expand(f"{OUT}/weights/{{experiment}}.safetensors", experiment=names)


def sections(*figures):
    """By figure."""
    return {figure: section(figure) for figure in figures}


def code(script, stage, *figures):
    """What a script runs of this stage of the figures' sections."""
    return sources(f"workflow/scripts/{script}.py", *(f"superposition.paper.{section(f)}.{stage}" for f in figures))
