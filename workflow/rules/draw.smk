# Draw figures from their tables, and make animations.


rule draw:
    input:
        tables=[f"{OUT}/tables/{{figure}}"],
        code=lambda wildcards: stage_code("draw", "draw", wildcards.figure),
    output:
        svg=[
            report(
                f"{OUT}/figures/{{figure}}.svg",
                caption="../report/figure.rst",
                category=lambda wildcards: section_title(wildcards.figure),
                labels={"figure": "{figure}", "kind": "drawing"},
            )
        ],
        png=[f"{OUT}/figures/{{figure}}.png"],
    log:
        f"{OUT}/logs/draw/{{figure}}.log",
    benchmark:
        f"{OUT}/benchmarks/draw/{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(SINGLE) or "none",
    conda:
        "../envs/superposition.yaml"
    params:
        sections=lambda wildcards: sections_by_figure(wildcards.figure),
        captions=lambda wildcards, output: captions(output),
    script:
        "../scripts/draw.py"


for group, figures in GROUPS.items():

    rule:
        name:
            f"draw_{figures[0]}"
        input:
            tables=expand(f"{OUT}/tables/{{figure}}", figure=figures),
            code=stage_code("draw", "draw", *figures),
        output:
            svg=[
                report(
                    f"{OUT}/figures/{figure}.svg",
                    caption="../report/figure.rst",
                    category=section_title(figure),
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
        conda:
            "../envs/superposition.yaml"
        params:
            sections=sections_by_figure(*figures),
            captions=lambda wildcards, output: captions(output),
        script:
            "../scripts/draw.py"


rule animate:
    input:
        tables=f"{OUT}/tables/{{figure}}",
        code=lambda wildcards: stage_code("animate", "draw", wildcards.figure),
    output:
        report(
            f"{OUT}/figures/{{figure}}.gif",
            caption="../report/figure.rst",
            category=lambda wildcards: section_title(wildcards.figure),
            labels={"figure": "{figure}", "kind": "animation"},
        ),
    log:
        f"{OUT}/logs/animate/{{figure}}.log",
    benchmark:
        f"{OUT}/benchmarks/animate/{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(CONFIG.animated()) or "none",
    conda:
        "../envs/superposition.yaml"
    params:
        section=lambda wildcards: section_of(wildcards.figure),
        captions=lambda wildcards, output: captions(output),
    script:
        "../scripts/animate.py"
