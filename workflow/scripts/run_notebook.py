"""Runs the report's notebook."""

import papermill

from superposition.pipeline.jobs import reporting

with reporting(snakemake.log[0]):
    papermill.execute_notebook(
        snakemake.input.notebook,
        snakemake.output[0],
        parameters={
            "results": snakemake.params.results,
            "config": snakemake.params.config,
            "configfiles": snakemake.params.configfiles,
        },
        progress_bar=False,
        request_save_on_cell_execute=False,  # nobody reads it before the end
        autosave_cell_every=0,
    )
