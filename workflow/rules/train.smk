# Trains the models of one experiment: in one job, or in several that a last one gathers, or in one with others.

# A sweep of less work than this (see Sweep.work) takes one core some half a minute at most. Such jobs run side by side: a
# job that takes all cores leaves all but one idle while it starts up and ends.
SMALL = 4.5e10


scattergather:
    split=1,


# How many jobs train each of the larger sweeps (--set-scatter split=8, or a profile); never more than a sweep has parts.
SPLIT = len(scatter.split("{scatteritem}"))
SHARES = {name: 1 if sweep.work < SMALL else min(SPLIT, sweep.max_parts) for name, sweep in CONFIG.sweeps.items()}
# Those that are trained hardly longer than a job takes to start, and share one with others of their section.
BATCHES = {batch: names for batch, names in batches(CONFIG).items() if len(names) > 1}
BATCHED = [name for names in BATCHES.values() for name in names]
WHOLE = [name for name, shares in SHARES.items() if shares == 1 and name not in BATCHED]
SHARED = [name for name, shares in SHARES.items() if shares > 1]
# On a GPU where there is one, but for what is solved exactly. How many jobs share it says the profile.
GPU = int(CONFIG.device != "cpu" and bool(shutil.which("nvidia-smi")))
ON_GPU = [name for name, sweep in CONFIG.sweeps.items() if GPU and sweep.solver != "exact"]
# Those that take one core.
NARROW = ON_GPU + [name for name, sweep in CONFIG.sweeps.items() if sweep.work < SMALL]
# At scale quick all training comes first: what must wait for the last of it is short; then groups of many figures. At
# scale paper that would keep every figure back to the end.
PRIORITY = len(CONFIG.figures) if CONFIG.scale == "quick" else 0


rule train:
    input:
        code=sources("workflow/scripts/train.py"),
    output:
        f"{OUT}/weights/{{experiment}}.safetensors",
    log:
        f"{OUT}/logs/train/{{experiment}}.log",
    benchmark:
        f"{OUT}/benchmarks/train/{{experiment}}.tsv"
    wildcard_constraints:
        experiment="|".join(WHOLE) or "none",
    priority: PRIORITY
    threads: lambda wildcards: 1 if wildcards.experiment in NARROW else workflow.cores or 1
    resources:
        gpu=lambda wildcards: int(wildcards.experiment in ON_GPU),
    params:
        sweeps=lambda wildcards: {wildcards.experiment: CONFIG.sweeps[wildcards.experiment].spec()},
        device=CONFIG.device,
    script:
        "../scripts/train.py"


for batch, names in BATCHES.items():

    rule:
        name:
            f"train_{names[0]}"
        input:
            code=sources("workflow/scripts/train.py"),
        output:
            expand(f"{OUT}/weights/{{experiment}}.safetensors", experiment=names),
        log:
            f"{OUT}/logs/train/{batch}.log",
        benchmark:
            f"{OUT}/benchmarks/train/{batch}.tsv"
        priority: PRIORITY
        threads: 1
        resources:
            gpu=int(not set(ON_GPU).isdisjoint(names)),
        params:
            sweeps={name: CONFIG.sweeps[name].spec() for name in names},
            device=CONFIG.device,
        script:
            "../scripts/train.py"


use rule train as part with:
    output:
        temp(f"{OUT}/weights/{{experiment}}/{{part}}-of-{{parts}}.safetensors"),
    log:
        f"{OUT}/logs/train/{{experiment}}/{{part}}-of-{{parts}}.log",
    benchmark:
        f"{OUT}/benchmarks/train/{{experiment}}/{{part}}-of-{{parts}}.tsv"
    wildcard_constraints:
        experiment="|".join(SHARED) or "none",
        part=r"\d+",
        parts=r"\d+",


use rule train as gather with:
    input:
        code=sources("workflow/scripts/train.py"),
        parts=lambda wildcards: [
            f"{OUT}/weights/{wildcards.experiment}/{part}-of-{SHARES[wildcards.experiment]}.safetensors"
            for part in range(1, SHARES[wildcards.experiment] + 1)
        ],
    wildcard_constraints:
        experiment="|".join(SHARED) or "none",
    threads: 1
    resources:
        gpu=0,
