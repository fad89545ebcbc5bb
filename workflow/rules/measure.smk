# Measures the trained models of a figure, or of several: weights to tables.


rule measure:
    input:
        weights=lambda wildcards: weights(wildcards.figure),
        code=lambda wildcards: code("measure", "measure", wildcards.figure),
    output:
        directory(f"{OUT}/tables/{{figure}}"),
    log:
        f"{OUT}/logs/measure/{{figure}}.log",
    benchmark:
        f"{OUT}/benchmarks/measure/{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(ALONE) or "none",
    params:
        sections=lambda wildcards: sections(wildcards.figure),
        experiments=lambda wildcards: experiments(wildcards.figure),
    script:
        "../scripts/measure.py"


for group, figures in GROUPS.items():

    rule:
        name:
            f"measure_{figures[0]}"
        input:
            weights=weights(*figures),
            code=code("measure", "measure", *figures),
        output:
            directory(expand(f"{OUT}/tables/{{figure}}", figure=figures)),
        log:
            f"{OUT}/logs/measure/{group}.log",
        benchmark:
            f"{OUT}/benchmarks/measure/{group}.tsv"
        priority: len(figures)
        params:
            sections=sections(*figures),
            experiments=experiments(*figures),
        script:
            "../scripts/measure.py"
