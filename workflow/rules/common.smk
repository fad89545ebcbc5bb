# What several rules look up in the configuration.


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
