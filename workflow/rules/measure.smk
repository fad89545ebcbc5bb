# Measures the trained models of a figure: weights to tables.


rule measure:
    input:
        weights=lambda wildcards: expand(
            f"{OUT}/weights/{{experiment}}.safetensors", experiment=CONFIG.figures[wildcards.figure].experiments
        ),
        code=lambda wildcards: sources(
            "workflow/scripts/measure.py", f"superposition.paper.{CONFIG.figures[wildcards.figure].section}.measure"
        ),
    output:
        directory(f"{OUT}/tables/{{figure}}"),
    log:
        f"{OUT}/logs/measure/{{figure}}.log",
    benchmark:
        f"{OUT}/benchmarks/measure/{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(CONFIG.figures),
    params:
        section=lambda wildcards: CONFIG.figures[wildcards.figure].section,
        experiments=lambda wildcards: list(CONFIG.figures[wildcards.figure].experiments),
    script:
        "../scripts/measure.py"
