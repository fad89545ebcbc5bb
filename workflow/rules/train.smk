# Trains the models of one experiment.


rule train:
    input:
        sources("workflow/scripts/train.py"),
    output:
        f"{OUT}/weights/{{experiment}}.safetensors",
    params:
        sweep=lambda wildcards: CONFIG.sweeps[wildcards.experiment].spec(),
        device=CONFIG.device,
    wildcard_constraints:
        experiment="|".join(CONFIG.sweeps),
    log:
        f"{OUT}/logs/train/{{experiment}}.log",
    benchmark:
        f"{OUT}/benchmarks/train/{{experiment}}.tsv"
    threads: workflow.cores or 1
    script:
        "../scripts/train.py"
