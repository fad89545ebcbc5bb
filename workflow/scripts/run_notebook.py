"""Write the notebook of the report from its template, and run it."""

from pathlib import Path

import papermill

from superposition.pipeline.configuration.config import Config
from superposition.pipeline.jobs import job_log
from superposition.pipeline.report.notebook import build_notebook

with job_log(snakemake):
    output = Path(snakemake.output[0])
    config = Config.parse(snakemake.params.config)
    text, configfiles = Path(snakemake.input.text), snakemake.params.configfiles
    record = next(map(Path, snakemake.input.robustness), None)
    notebook = build_notebook(text, output.parent, config, configfiles, record)
    papermill.execute_notebook(
        notebook,
        output,
        cwd=output.parent,
        progress_bar=False,
        # The kernel needs seconds to start, and minutes on a machine that is busy with something of a higher priority.
        start_timeout=1800,
        # Save the notebook once, at the end.
        request_save_on_cell_execute=False,
        autosave_cell_every=0,
    )
