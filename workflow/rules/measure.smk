# Measure the trained models of figures: weights to tables.


rule measure:
    input:
        weights=lambda wildcards: weights_files(wildcards.figure),
        best=lambda wildcards: best_folders(wildcards.figure),
        code=lambda wildcards: stage_code("measure", "measure", wildcards.figure),
    output:
        directory(f"{OUT}/tables/{{figure}}"),
    log:
        f"{OUT}/logs/measure/{{figure}}.log",
    benchmark:
        f"{OUT}/benchmarks/measure/{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(SINGLE) or "none",
    conda:
        "../envs/superposition.yaml"
    params:
        sections=lambda wildcards: sections_by_figure(wildcards.figure),
        experiments=lambda wildcards: experiments_by_figure(wildcards.figure),
        best=lambda wildcards: best_by_figure(wildcards.figure),
    script:
        "../scripts/measure.py"


for group, figures in GROUPS.items():

    rule:
        name:
            f"measure_{figures[0]}"
        input:
            weights=weights_files(*figures),
            best=best_folders(*figures),
            code=stage_code("measure", "measure", *figures),
        output:
            directory(expand(f"{OUT}/tables/{{figure}}", figure=figures)),
        log:
            f"{OUT}/logs/measure/{group}.log",
        benchmark:
            f"{OUT}/benchmarks/measure/{group}.tsv"
        priority: len(figures)
        conda:
            "../envs/superposition.yaml"
        params:
            sections=sections_by_figure(*figures),
            experiments=experiments_by_figure(*figures),
            best=best_by_figure(*figures),
        script:
            "../scripts/measure.py"
