# Search for the best model at every point of the sweeps of a family, and certify how far the trained ones are from it.


rule search:
    input:
        weights=lambda wildcards: [f"{OUT}/weights/{name}.safetensors" for name in CONFIG.families[wildcards.family]],
        code=sources("workflow/scripts/search.py"),
    output:
        directory(f"{OUT}/best/{{family}}"),
    log:
        f"{OUT}/logs/search/{{family}}.log",
    benchmark:
        f"{OUT}/benchmarks/search/{{family}}.tsv"
    conda:
        "../envs/superposition.yaml"
    threads: workflow.cores or 1
    script:
        "../scripts/search.py"


rule optimality:
    input:
        best=expand(f"{OUT}/best/{{family}}", family=CONFIG.families),
    output:
        report(f"{OUT}/optimality.csv", caption="../report/optimality.rst", category="Claims"),
    log:
        f"{OUT}/logs/optimality.log",
    benchmark:
        f"{OUT}/benchmarks/optimality.tsv"
    conda:
        "../envs/superposition.yaml"
    script:
        "../scripts/optimality.py"
