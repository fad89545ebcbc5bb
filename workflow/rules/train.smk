# Trains the models of one experiment.

# A sweep of less work than this (see Sweep.work) takes one core some ten seconds. Such jobs run side by side, so that one
# starts up while another trains.
SMALL = 2.5e10


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
    threads: lambda wildcards: 1 if CONFIG.sweeps[wildcards.experiment].work < SMALL else workflow.cores or 1
    params:
        sweep=lambda wildcards: CONFIG.sweeps[wildcards.experiment].spec(),
        device=CONFIG.device,
    script:
        "../scripts/train.py"
