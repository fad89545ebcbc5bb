# Render the report: papermill runs the notebook, and nbconvert converts it to one HTML file.


rule notebook:
    input:
        notebook="report/report.ipynb",
        claims=f"{OUT}/claims.csv",
        figures=expand(f"{OUT}/figures/{{figure}}.svg", figure=CONFIG.figures),
        thumbnails=expand(f"{OUT}/figures/{{figure}}.png", figure=CONFIG.figures),
        animations=expand(f"{OUT}/figures/{{figure}}.gif", figure=CONFIG.animated()),
        sensitivity=expand(f"{OUT}/sensitivity/{{section}}.csv", section=CONFIG.sensitivity),
        tables=expand(f"{OUT}/tables/{{figure}}", figure=CONFIG.figures),
        weights=expand(f"{OUT}/weights/{{experiment}}.safetensors", experiment=CONFIG.sweeps),
        captions=sorted(glob.glob("src/superposition/paper/*/section.yaml")),
        code=sources("superposition.pipeline.report"),
    output:
        f"{OUT}/report.ipynb",
    log:
        f"{OUT}/logs/notebook.log",
    benchmark:
        f"{OUT}/benchmarks/notebook.tsv"
    conda:
        "../envs/superposition.yaml"
    params:
        results=lambda wildcards, output: os.path.dirname(output[0]),
        config=config,
        configfiles=[os.path.relpath(file) for file in workflow.overwrite_configfiles],
    script:
        "../scripts/run_notebook.py"


rule report:
    input:
        notebook=f"{OUT}/report.ipynb",
        template="report/template/index.html.j2",
    output:
        report(f"{OUT}/report.html", caption="../report/report.rst", category="Report"),
    log:
        f"{OUT}/logs/report.log",
    benchmark:
        f"{OUT}/benchmarks/report.tsv"
    conda:
        "../envs/superposition.yaml"
    script:
        "../scripts/render_report.py"
