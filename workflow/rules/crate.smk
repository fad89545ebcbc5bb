# Write the record of the run, last of all: what was made, from what, by which code and when. This makes the results an
# RO-Crate with a copy of the code that can be run.

SCRIPTS = {rule.name: os.path.normpath(f"workflow/rules/{rule.script}") for rule in workflow.rules if rule.script}
# The files that a job depends on besides its script: those of its rule, and those of the stage of its section.
MODULES = {rule: sources(script) for rule, script in SCRIPTS.items()}
STAGED = expand("{section}.{stage}", section=CONFIG.sections, stage=STAGES)
MODULES |= {stage: sources(f"superposition.paper.{stage}") for stage in STAGED}
MODULES["notebook"] += map(str, [rules.notebook.input.notebook, *rules.notebook.input.code])
MODULES["report"].append(str(rules.report.input.template))
# The files that define the workflow; the first is the Snakefile.
WORKFLOW_FILES = [
    "Snakefile",
    "requirements.txt",
    "src/*/__init__.py",
    "workflow/**/*.smk",
    "workflow/**/*.py",
    "workflow/**/*.rst",
    "workflow/envs/*",
]
# The modules that only the Snakefile imports.
IMPORTED = sources("superposition.pipeline.configfile", "superposition.pipeline.scheduling")


rule crate:
    input:
        rules.notebook.input,
        report=rules.report.output,
        optimality=rules.optimality.output,
        pictures=expand(f"{OUT}/figures/{{figure}}.png", figure=CONFIG.figures),
        workflow=[file for part in WORKFLOW_FILES for file in sorted(glob.glob(part, recursive=True))] + IMPORTED,
        configs=workflow.configfiles,
        modules=sorted({file for files in MODULES.values() for file in files}),
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
        config=config,
        scripts=SCRIPTS,
        modules=MODULES,
    script:
        "../scripts/crate.py"
