# Draws a figure from its tables, or several, and makes the animation of one that moves.


rule draw:
    input:
        tables=[f"{OUT}/tables/{{figure}}"],
        code=lambda wildcards: code("draw", "draw", wildcards.figure),
    output:
        svg=[
            report(
                f"{OUT}/figures/{{figure}}.svg",
                caption="../report/figure.rst",
                category=lambda wildcards: title(wildcards.figure),
                labels={"figure": "{figure}", "kind": "drawing"},
            )
        ],
        png=[f"{OUT}/figures/{{figure}}.png"],
    log:
        f"{OUT}/logs/draw/{{figure}}.log",
    benchmark:
        f"{OUT}/benchmarks/draw/{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(ALONE) or "none",
    params:
        sections=lambda wildcards: sections(wildcards.figure),
    script:
        "../scripts/draw.py"


for group, figures in GROUPS.items():

    rule:
        name:
            f"draw_{figures[0]}"
        input:
            tables=expand(f"{OUT}/tables/{{figure}}", figure=figures),
            code=code("draw", "draw", *figures),
        output:
            svg=[
                report(
                    f"{OUT}/figures/{figure}.svg",
                    caption="../report/figure.rst",
                    category=title(figure),
                    labels={"figure": figure, "kind": "drawing"},
                )
                for figure in figures
            ],
            png=expand(f"{OUT}/figures/{{figure}}.png", figure=figures),
        log:
            f"{OUT}/logs/draw/{group}.log",
        benchmark:
            f"{OUT}/benchmarks/draw/{group}.tsv"
        priority: len(figures)
        params:
            sections=sections(*figures),
        script:
            "../scripts/draw.py"


rule animate:
    input:
        tables=f"{OUT}/tables/{{figure}}",
        code=lambda wildcards: code("animate", "draw", wildcards.figure),
    output:
        report(
            f"{OUT}/figures/{{figure}}.gif",
            caption="../report/figure.rst",
            category=lambda wildcards: title(wildcards.figure),
            labels={"figure": "{figure}", "kind": "animation"},
        ),
    log:
        f"{OUT}/logs/animate/{{figure}}.log",
    benchmark:
        f"{OUT}/benchmarks/animate/{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(CONFIG.animated()) or "none",
    params:
        section=lambda wildcards: section(wildcards.figure),
    script:
        "../scripts/animate.py"
