# An image for the README's commands, with Docker or Podman. It has not been built yet: neither CI nor the developers have
# a container engine.
#
#   docker build -t superposition .
#   docker run --rm -v "$PWD/results:/project/results" superposition                  # makes everything
#   docker run --rm superposition pytest
#
# This installs the CPU build of torch. For a GPU: `docker build --build-arg TORCH_INDEX= …` and `docker run --gpus all …`.
FROM python:3.11-slim-bookworm

# The CPU engine is compiled when it is first used, and git tells from which commit results come.
RUN apt-get update && apt-get install -y --no-install-recommends g++ git && rm -rf /var/lib/apt/lists/*

WORKDIR /project
COPY . .
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN PIP_EXTRA_INDEX_URL=$TORCH_INDEX pip install --no-cache-dir -r requirements.txt

CMD ["snakemake", "--cores", "all"]
