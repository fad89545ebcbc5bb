# Make the explorer: one HTML file in which the models of the run can be pointed at and turned, and new ones trained.


rule explorer:
    input:
        template="report/explorer/index.html.j2",
        page=[file for kind in ("css", "js") for file in sorted(glob.glob(f"report/explorer/*.{kind}"))],
        tables=expand(rules.measure.output, figure=CONFIG.figures),
        weights=expand(rules.train.output, experiment=CONFIG.sweeps),
        best=expand(rules.search.output, family=CONFIG.families),
        captions=sorted(glob.glob("src/superposition/paper/*/section.yaml")),
        code=sources("workflow/scripts/explorer.py"),
    output:
        f"{OUT}/explorer.html",
    log:
        f"{OUT}/logs/explorer.log",
    benchmark:
        f"{OUT}/benchmarks/explorer.tsv"
    conda:
        "../envs/superposition.yaml"
    params:
        config=SETTINGS,
    script:
        "../scripts/explorer.py"
