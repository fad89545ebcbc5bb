# Judges the claims of a section from the tables of its figures, some of them again with models that were trained in other
# ways, and holds all verdicts against those on record.


rule judge:
    input:
        tables=lambda wildcards: expand(f"{OUT}/tables/{{figure}}", figure=CONFIG.figures_of(wildcards.section)),
        code=lambda wildcards: sources("workflow/scripts/judge.py", f"superposition.paper.{wildcards.section}.judge"),
    output:
        f"{OUT}/claims/{{section}}.csv",
    log:
        f"{OUT}/logs/judge/{{section}}.log",
    benchmark:
        f"{OUT}/benchmarks/judge/{{section}}.tsv"
    wildcard_constraints:
        section="|".join(CONFIG.sections),
    params:
        figures=lambda wildcards: CONFIG.figures_of(wildcards.section),
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
    resources:
        gpu=GPU,
    params:
        claims=lambda wildcards: CONFIG.sensitivity[wildcards.section],
        sweeps=lambda wildcards: {
            figure: {name: sweep.spec() for name, sweep in sweeps.items()}
            for figure, sweeps in CONFIG.small_sweeps(wildcards.section).items()
        },
        device=CONFIG.device,
    script:
        "../scripts/vary.py"


rule claims:
    input:
        expand(f"{OUT}/claims/{{section}}.csv", section=CONFIG.sections),
    output:
        report(f"{OUT}/claims.csv", caption="../report/claims.rst", category="Claims"),
    log:
        f"{OUT}/logs/claims.log",
    benchmark:
        f"{OUT}/benchmarks/claims.tsv"
    params:
        sections=list(CONFIG.sections),
    script:
        "../scripts/claims.py"


rule check:
    input:
        claims=f"{OUT}/claims.csv",
        code=sources("workflow/scripts/check.py"),
    log:
        f"{OUT}/logs/check.log",
    script:
        "../scripts/check.py"
