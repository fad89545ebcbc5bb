# What several rules look up in the configuration.

# Captions in Snakemake's report see no variable of the workflow but its configuration (workflow/report/figure.rst).
config["captions"] = {
    name: [figure.title, f"{'The paper: ' if CONFIG.sections[figure.section].anchor else ''}{figure.shows}"]
    for name, figure in CONFIG.figures.items()
}


wildcard_constraints:
    figure="|".join(CONFIG.figures),


def section_of(wildcards):
    """Return the name of a figure's section."""
    return CONFIG.figures[wildcards.figure].section


def section_title(wildcards):
    """Return the title of a figure's section."""
    return CONFIG.sections[section_of(wildcards)].title


def stage_code(script, stage):
    """Return an input function: the source files that a script runs for one stage of a figure's section."""
    return lambda wildcards: sources(
        f"workflow/scripts/{script}.py", f"superposition.paper.{section_of(wildcards)}.{stage}"
    )


@functools.cache
def config_of(seed):
    """Return the configuration of the run with another seed."""
    return Config.parse(SETTINGS | {"seed": int(seed)})
