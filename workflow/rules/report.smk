# Make the report: a notebook from a template, which papermill runs, and one HTML file from the notebook.


rule notebook:
    input:
        text="report/report.md.j2",
        # The record of verdicts under other seeds, which a run does not repeat because that takes many times as long.
        robustness=glob.glob(f"report/robustness/{CONFIG.scale}.csv"),
        claims=rules.judge.output,
        drawings=expand(rules.draw.output, figure=CONFIG.figures),
        animations=expand(rules.animate.output, figure=CONFIG.animated()),
        sensitivity=expand(rules.vary.output, section=CONFIG.sensitivity),
        tables=expand(rules.measure.output, figure=CONFIG.figures),
        weights=expand(rules.train.output, experiment=CONFIG.sweeps),
        optimality=rules.optimality.output.figures,
        captions=sorted(glob.glob("src/superposition/paper/*/section.yaml")),
        # The notebook also lists the statements that the sections leave out of their claims.
        code=sources(
            "workflow/scripts/run_notebook.py", *expand("superposition.paper.{section}.judge", section=CONFIG.sections)
        ),
    output:
        f"{OUT}/report.ipynb",
    log:
        f"{OUT}/logs/notebook.log",
    benchmark:
        f"{OUT}/benchmarks/notebook.tsv"
    conda:
        "../envs/superposition.yaml"
    params:
        config=SETTINGS,
        configfiles=[os.path.relpath(file) for file in workflow.overwrite_configfiles],
    script:
        "../scripts/run_notebook.py"


rule report:
    input:
        notebook=rules.notebook.output,
        template="report/template/index.html.j2",
        figures=rules.notebook.input.drawings + rules.notebook.input.animations,
        code=sources("workflow/scripts/render_report.py"),
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
