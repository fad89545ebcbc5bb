# Measure the trained models of a figure, and the best known ones if it needs them: weights to tables.


rule measure:
    input:
        weights=lambda wildcards: expand(rules.train.output, experiment=CONFIG.figures[wildcards.figure].experiments),
        best=lambda wildcards: expand(rules.search.output, family=CONFIG.families_of_best(wildcards.figure)),
        code=stage_code("measure", "measure"),
    output:
        directory(f"{OUT}/tables/{{figure}}"),
    log:
        f"{OUT}/logs/measure/{{figure}}.log",
    benchmark:
        f"{OUT}/benchmarks/measure/{{figure}}.tsv"
    conda:
        "../envs/superposition.yaml"
    params:
        section=section_of,
        # The script does not read these. They are why a figure of other experiments is measured again, since the default
        # profile takes no change of the inputs alone for a reason.
        experiments=lambda wildcards: CONFIG.figures[wildcards.figure].experiments,
        best=lambda wildcards: CONFIG.figures[wildcards.figure].best,
    script:
        "../scripts/measure.py"
