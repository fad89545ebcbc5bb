"""The JSON schemas of ``config.yaml`` and ``section.yaml``, with which editors complete and check these files.

``python -m superposition.pipeline.configuration.schema`` writes them to ``workflow/schemas``.
"""

import json
from pathlib import Path
from typing import Any

from superposition.core.experiment.sweep import Sweep
from superposition.pipeline.configuration.config import REQUIRED_KEYS, ConfigFile
from superposition.pipeline.configuration.sections import MAX_NAME_LENGTH, NAME_PATTERN, Section

# The names of experiments and figures.
NAMES = {"pattern": NAME_PATTERN, "maxLength": MAX_NAME_LENGTH}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON schemas of the files by their names, ``config`` and ``section``."""
    files = {"config": _config(), "section": Section.model_json_schema()}
    files["section"]["properties"]["figures"]["propertyNames"] = NAMES
    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {name: draft | file | {"title": f"{name}.yaml"} for name, file in files.items()}


def _config() -> dict[str, Any]:
    """Return the JSON schema of the configuration, in which entries have the keys of a sweep."""
    sweep, file = Sweep.model_json_schema(), ConfigFile.model_json_schema()
    keys, experiment, top = sweep["properties"], file["$defs"]["Experiment"], file["properties"]
    experiment["properties"]["from_paper"]["items"] = {"enum": [*keys]}
    experiment["properties"]["quick"] |= {"properties": keys, "additionalProperties": False}
    experiment |= {"properties": keys | experiment["properties"], "additionalProperties": False}
    experiment["required"] = REQUIRED_KEYS
    optional = {name: key for name, key in keys.items() if name not in REQUIRED_KEYS}
    top["defaults"] |= {"properties": optional, "additionalProperties": False}
    top["experiments"]["propertyNames"] = NAMES
    return file | {"$defs": sweep["$defs"] | file["$defs"]}


if __name__ == "__main__":
    for name, schema in schemas().items():
        Path(f"workflow/schemas/{name}.schema.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
