#!/bin/sh
# Snakemake runs this in the project's folder once it has created the environment. It does not notice later changes of
# requirements.txt: delete .snakemake/conda then.
exec python -m pip install -r requirements.txt
