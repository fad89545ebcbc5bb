"""Execute the notebook of the report."""

import papermill

from superposition.pipeline.jobs import job_log

with job_log(snakemake.log[0]):
    papermill.execute_notebook(
        snakemake.input.notebook,
        snakemake.output[0],
        parameters={
            "results": snakemake.params.results,
            "config": snakemake.params.config,
            "configfiles": snakemake.params.configfiles,
        },
        progress_bar=False,
        # Save the notebook once, at the end.
        request_save_on_cell_execute=False,
        autosave_cell_every=0,
    )
