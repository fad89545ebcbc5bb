# Judge all claims again under other seeds, which replace every random number, and count how often each verdict comes.
# `rule all` makes none of this: the target is `robustness`.


wildcard_constraints:
    seed=r"\d+",


use rule train as train_seed with:
    output:
        f"{OUT}/seeds/{{seed}}/weights/{{experiment}}.safetensors",
    log:
        f"{OUT}/logs/seeds/{{seed}}/train/{{experiment}}.log",
    benchmark:
        f"{OUT}/benchmarks/seeds/{{seed}}/train/{{experiment}}.tsv"
    wildcard_constraints:
        experiment="|".join(CONFIG.sweeps),
    params:
        sweep=lambda wildcards: config_of(wildcards.seed).sweeps[wildcards.experiment].spec(),
        device=CONFIG.device,


use rule measure as measure_seed with:
    input:
        weights=lambda wildcards: expand(
            rules.train_seed.output, seed=wildcards.seed, experiment=CONFIG.figures[wildcards.figure].experiments
        ),
        # The optimum does not depend on the seed, so the best known models are taken from the run itself.
        best=rules.measure.input.best,
        code=stage_code("measure", "measure"),
    output:
        directory(f"{OUT}/seeds/{{seed}}/tables/{{figure}}"),
    log:
        f"{OUT}/logs/seeds/{{seed}}/measure/{{figure}}.log",
    benchmark:
        f"{OUT}/benchmarks/seeds/{{seed}}/measure/{{figure}}.tsv"


use rule judge as judge_seed with:
    input:
        # The figures that no model is trained for are the same under every seed.
        tables=[
            table
            for figure, about in CONFIG.figures.items()
            for table in expand(
                rules.measure_seed.output if about.experiments else rules.measure.output,
                figure=figure,
                allow_missing=True,
            )
        ],
        code=rules.judge.input.code,
    output:
        claims=f"{OUT}/seeds/{{seed}}/claims.csv",
        criteria=f"{OUT}/seeds/{{seed}}/criteria.csv",
    log:
        f"{OUT}/logs/seeds/{{seed}}/judge.log",
    benchmark:
        f"{OUT}/benchmarks/seeds/{{seed}}/judge.tsv"


rule robustness:
    input:
        claims=expand(rules.judge_seed.output.claims, seed=CONFIG.other_seeds),
        criteria=expand(rules.judge_seed.output.criteria, seed=CONFIG.other_seeds),
        code=sources("workflow/scripts/robustness.py"),
    output:
        f"{OUT}/robustness.csv",
    log:
        f"{OUT}/logs/robustness.log",
    benchmark:
        f"{OUT}/benchmarks/robustness.tsv"
    conda:
        "../envs/superposition.yaml"
    params:
        # The script does not read these. They are why other seeds are counted again, as in the rule `measure`.
        seeds=CONFIG.other_seeds,
    script:
        "../scripts/robustness.py"
