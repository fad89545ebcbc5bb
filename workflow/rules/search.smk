# Search for the best model at every point of the sweeps of a family, and certify how far the trained ones are from it.


rule search:
    input:
        weights=lambda wildcards: expand(rules.train.output, experiment=CONFIG.families[wildcards.family]),
        code=sources("workflow/scripts/search.py"),
    output:
        directory(f"{OUT}/best/{{family}}"),
    log:
        f"{OUT}/logs/search/{{family}}.log",
    benchmark:
        f"{OUT}/benchmarks/search/{{family}}.tsv"
    wildcard_constraints:
        family="|".join(CONFIG.families) or "none",
    # Searches run side by side, each on one core: on two a search is only 1.2 times as fast. They come before the small
    # jobs, so that the longest search is not the last job.
    priority: 1
    conda:
        "../envs/superposition.yaml"
    params:
        # The script does not read these. They are why a family of other experiments is searched again, since the default
        # profile takes no change of the inputs alone for a reason.
        experiments=lambda wildcards: CONFIG.families[wildcards.family],
    script:
        "../scripts/search.py"


rule optimality:
    input:
        best=expand(rules.search.output, family=CONFIG.families),
        code=sources("workflow/scripts/optimality.py"),
    output:
        points=f"{OUT}/optimality.csv",
        figures=f"{OUT}/optimality_by_figure.csv",
    log:
        f"{OUT}/logs/optimality.log",
    benchmark:
        f"{OUT}/benchmarks/optimality.tsv"
    conda:
        "../envs/superposition.yaml"
    params:
        figures={name: figure.experiments for name, figure in CONFIG.figures.items()},
    script:
        "../scripts/optimality.py"
