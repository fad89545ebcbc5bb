# Draw a figure from its tables, and make an animation of it.


rule draw:
    input:
        tables=rules.measure.output,
        code=stage_code("draw", "draw"),
    output:
        svg=report(
            f"{OUT}/figures/{{figure}}.svg",
            caption="../report/figure.rst",
            category=section_title,
            labels={"figure": "{figure}", "kind": "drawing"},
        ),
        png=f"{OUT}/figures/{{figure}}.png",
    log:
        f"{OUT}/logs/draw/{{figure}}.log",
    benchmark:
        f"{OUT}/benchmarks/draw/{{figure}}.tsv"
    conda:
        "../envs/superposition.yaml"
    params:
        section=section_of,
    script:
        "../scripts/draw.py"


rule animate:
    input:
        tables=rules.measure.output,
        code=stage_code("animate", "draw"),
    output:
        report(
            f"{OUT}/figures/{{figure}}.gif",
            caption="../report/figure.rst",
            category=section_title,
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
        section=section_of,
    script:
        "../scripts/animate.py"
