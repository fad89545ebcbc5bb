# Train the models of an experiment: in one job, or in several whose parts a last one gathers.


scattergather:
    split=1,


SMALL = [name for name, sweep in CONFIG.sweeps.items() if sweep.work < CONFIG.one_core_work]
# The number of jobs that train each of the larger sweeps, as set by --set-scatter split=8 or by a profile. A sweep
# cannot be split into more jobs than it has parts.
SPLIT = len(scatter.split("{scatteritem}"))
PARTS = {name: 1 if name in SMALL else min(SPLIT, sweep.max_parts) for name, sweep in CONFIG.sweeps.items()}
# Train on a GPU if there is one here and PyTorch is no build for CPUs, or if the configuration insists on one, as on a
# cluster; except sweeps that are solved exactly. The profile says how many jobs share it.
HAS_GPU = bool(shutil.which("nvidia-smi")) and "+cpu" not in importlib.metadata.version("torch")
GPU = int(CONFIG.device == "cuda" or CONFIG.device == "auto" and HAS_GPU)
ON_GPU = [name for name, sweep in CONFIG.sweeps.items() if GPU and sweep.solver != "exact"]


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
        experiment="|".join(name for name, parts in PARTS.items() if parts == 1 and name not in SMALL) or "none",
    # A job that takes all cores waits until no other is left, unless it comes first. Small jobs fill the end of a run.
    priority: 3
    conda:
        "../envs/superposition.yaml"
    threads: lambda wildcards: 1 if wildcards.experiment in SMALL + ON_GPU else workflow.cores or 1
    resources:
        gpu=lambda wildcards: int(wildcards.experiment in ON_GPU),
    params:
        sweep=lambda wildcards: CONFIG.sweeps[wildcards.experiment].spec(),
        device=CONFIG.device,
    script:
        "../scripts/train.py"


use rule train as train_small with:
    wildcard_constraints:
        experiment="|".join(SMALL) or "none",
    priority: 2


use rule train as part with:
    output:
        temp(f"{OUT}/weights/{{experiment}}/{{part}}-of-{{parts}}.safetensors"),
    log:
        f"{OUT}/logs/train/{{experiment}}/{{part}}-of-{{parts}}.log",
    benchmark:
        f"{OUT}/benchmarks/train/{{experiment}}/{{part}}-of-{{parts}}.tsv"
    wildcard_constraints:
        experiment="|".join(name for name, parts in PARTS.items() if parts > 1) or "none",
        part=r"\d+",
        parts=r"\d+",


use rule train as gather with:
    input:
        code=sources("workflow/scripts/train.py"),
        parts=lambda wildcards: [
            f"{OUT}/weights/{wildcards.experiment}/{part}-of-{PARTS[wildcards.experiment]}.safetensors"
            for part in range(1, PARTS[wildcards.experiment] + 1)
        ],
    wildcard_constraints:
        experiment="|".join(name for name, parts in PARTS.items() if parts > 1) or "none",
    threads: 1
    resources:
        gpu=0,
