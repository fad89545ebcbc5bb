# Write the record of the run, last of all: what was made, from what, by which code and when. This makes the results an
# RO-Crate with a copy of the code that can be run.

# The files that define the workflow; the first is the Snakefile. Other files that jobs ran are in their records.
WORKFLOW_FILES = [
    "Snakefile",
    "requirements.txt",
    "src/*/__init__.py",
    "workflow/**/*.smk",
    "workflow/**/*.py",
    "workflow/**/*.rst",
    "workflow/envs/*",
]


rule crate:
    input:
        results=[
            *rules.optimality.input.best,
            *rules.optimality.output,
            *rules.notebook.input,
            *rules.notebook.output,
            *rules.report.output,
            *rules.explorer.output,
        ],
        workflow=[file for part in WORKFLOW_FILES for file in sorted(glob.glob(part, recursive=True))]
        + sources(*glob.glob("workflow/*.py")),
        configs=workflow.configfiles,
        code=sources("workflow/scripts/crate.py"),
    output:
        record=f"{OUT}/ro-crate-metadata.json",
        code=directory(f"{OUT}/code"),
    log:
        f"{OUT}/logs/crate.log",
    benchmark:
        f"{OUT}/benchmarks/crate.tsv"
    conda:
        "../envs/superposition.yaml"
    params:
        config=SETTINGS,
        scripts={rule.name: os.path.normpath(f"workflow/rules/{rule.script}") for rule in workflow.rules if rule.script},
    script:
        "../scripts/crate.py"
