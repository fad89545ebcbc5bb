"""Convert the executed notebook to one HTML file, which can be read without a network."""

from pathlib import Path

from nbconvert import HTMLExporter

from superposition.pipeline.jobs import job_log

with job_log(snakemake.log[0]):
    template = Path(snakemake.input.template).parent
    exporter = HTMLExporter(
        extra_template_basedirs=[str(template.parent)], template_name=template.name, exclude_input=True
    )
    html, _ = exporter.from_filename(snakemake.input.notebook)
    Path(snakemake.output[0]).write_text(html, encoding="utf-8")
