# Draws a figure from its tables, and makes the animation of one that moves.


rule draw:
    input:
        tables=f"{OUT}/tables/{{figure}}",
        code=lambda wildcards: sources(
            "workflow/scripts/draw.py", f"superposition.paper.{CONFIG.figures[wildcards.figure].section}.draw"
        ),
    output:
        svg=report(
            f"{OUT}/figures/{{figure}}.svg",
            caption="../report/figure.rst",
            category=lambda wildcards: CONFIG.sections[CONFIG.figures[wildcards.figure].section].title,
            labels={"figure": "{figure}", "kind": "drawing"},
        ),
        png=f"{OUT}/figures/{{figure}}.png",
    log:
        f"{OUT}/logs/draw/{{figure}}.log",
    benchmark:
        f"{OUT}/benchmarks/draw/{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(CONFIG.figures),
    params:
        section=lambda wildcards: CONFIG.figures[wildcards.figure].section,
    script:
        "../scripts/draw.py"


rule animate:
    input:
        tables=f"{OUT}/tables/{{figure}}",
        code=lambda wildcards: sources(
            "workflow/scripts/animate.py", f"superposition.paper.{CONFIG.figures[wildcards.figure].section}.draw"
        ),
    output:
        report(
            f"{OUT}/figures/{{figure}}.gif",
            caption="../report/figure.rst",
            category=lambda wildcards: CONFIG.sections[CONFIG.figures[wildcards.figure].section].title,
            labels={"figure": "{figure}", "kind": "animation"},
        ),
    log:
        f"{OUT}/logs/animate/{{figure}}.log",
    benchmark:
        f"{OUT}/benchmarks/animate/{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(CONFIG.animated()) or "none",
    params:
        section=lambda wildcards: CONFIG.figures[wildcards.figure].section,
    script:
        "../scripts/animate.py"
