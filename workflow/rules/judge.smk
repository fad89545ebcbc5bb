# Judge the claims of all sections from the tables of their figures, judge some of them again with models trained under
# other configurations, and compare the verdicts with those on record.


rule judge:
    input:
        tables=expand(f"{OUT}/tables/{{figure}}", figure=CONFIG.figures),
        code=sources(
            "workflow/scripts/judge.py", *expand("superposition.paper.{section}.judge", section=CONFIG.sections)
        ),
    output:
        claims=report(f"{OUT}/claims.csv", caption="../report/claims.rst", category="Claims"),
        criteria=f"{OUT}/criteria.csv",
    log:
        f"{OUT}/logs/judge.log",
    benchmark:
        f"{OUT}/benchmarks/judge.tsv"
    conda:
        "../envs/superposition.yaml"
    params:
        sections={section: CONFIG.figures_of(section) for section in CONFIG.sections},
        scale=CONFIG.scale,
    script:
        "../scripts/judge.py"


rule vary:
    input:
        code=lambda wildcards: sources(
            "workflow/scripts/vary.py",
            f"superposition.paper.{wildcards.section}.measure",
            f"superposition.paper.{wildcards.section}.judge",
        ),
    output:
        f"{OUT}/sensitivity/{{section}}.csv",
    log:
        f"{OUT}/logs/vary/{{section}}.log",
    benchmark:
        f"{OUT}/benchmarks/vary/{{section}}.tsv"
    wildcard_constraints:
        section="|".join(CONFIG.sensitivity) or "none",
    conda:
        "../envs/superposition.yaml"
    resources:
        gpu=GPU,
    params:
        claims=lambda wildcards: CONFIG.sensitivity[wildcards.section],
        sweeps=lambda wildcards: {
            figure: {name: sweep.spec() for name, sweep in sweeps.items()}
            for figure, sweeps in CONFIG.reduced_sweeps(wildcards.section).items()
        },
        device=CONFIG.device,
    script:
        "../scripts/vary.py"


rule check:
    input:
        claims=f"{OUT}/claims.csv",
        code=sources("workflow/scripts/check.py"),
    log:
        f"{OUT}/logs/check.log",
    conda:
        "../envs/superposition.yaml"
    script:
        "../scripts/check.py"
