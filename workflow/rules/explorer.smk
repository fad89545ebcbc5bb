# Make the explorer: one HTML file in which the models of the run can be pointed at and turned, and new ones trained.


rule explorer:
    input:
        template="report/explorer/index.html.j2",
        page=[file for kind in ("css", "js") for file in sorted(glob.glob(f"report/explorer/*.{kind}"))],
        tables=expand(f"{OUT}/tables/{{figure}}", figure=CONFIG.figures),
        weights=expand(f"{OUT}/weights/{{experiment}}.safetensors", experiment=CONFIG.sweeps),
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
        config=config,
    script:
        "../scripts/explorer.py"
