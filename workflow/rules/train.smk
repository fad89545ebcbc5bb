# Trains the models of one experiment.


rule train:
    input:
        sources("workflow/scripts/train.py"),
    output:
        f"{OUT}/weights/{{experiment}}.safetensors",
    log:
        f"{OUT}/logs/train/{{experiment}}.log",
    benchmark:
        f"{OUT}/benchmarks/train/{{experiment}}.tsv"
    wildcard_constraints:
        experiment="|".join(CONFIG.sweeps),
    threads: workflow.cores or 1
    params:
        sweep=lambda wildcards: CONFIG.sweeps[wildcards.experiment].spec(),
        device=CONFIG.device,
    script:
        "../scripts/train.py"
