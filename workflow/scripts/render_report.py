"""Convert the executed notebook to one HTML file, which can be read without a network."""

from pathlib import Path

from superposition.pipeline.jobs import job_log
from superposition.pipeline.report.page import render

with job_log(snakemake):
    html = render(Path(snakemake.input.notebook[0]), Path(snakemake.input.template))
    Path(snakemake.output[0]).write_text(html, encoding="utf-8")
