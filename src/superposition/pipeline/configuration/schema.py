"""The JSON schemas of ``config.yaml`` and ``section.yaml``, with which editors complete and check these files.

``python -m superposition.pipeline.configuration.schema`` writes them to ``workflow/schemas``.
"""

import json
from pathlib import Path
from typing import Any

from superposition.core.experiment.sweep import Sweep
from superposition.core.experiment.values import PREDEFINED
from superposition.pipeline.configuration.config import REQUIRED_KEYS, ConfigFile
from superposition.pipeline.configuration.sections import MAX_NAME_LENGTH, NAME_PATTERN, Section

# The names of experiments and figures.
NAMES = {"pattern": NAME_PATTERN, "maxLength": MAX_NAME_LENGTH}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON schemas of the files by their names, ``config`` and ``section``."""
    section = Section.model_json_schema()
    section["properties"]["figures"]["propertyNames"] = NAMES
    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        name: draft | file | {"title": f"{name}.yaml"} for name, file in (("config", _config()), ("section", section))
    }


def _config() -> dict[str, Any]:
    """Return the JSON schema of the configuration."""
    sweep = Sweep.model_json_schema()
    definitions = sweep.pop("$defs", {})
    keys = sweep["properties"]
    # pydantic knows only the parsed form of an axis, which may be written as one value, a list or a logarithmic range.
    log_range = {
        "type": "object",
        "properties": {"from": {"type": "number"}, "to": {"type": "number"}, "points": {"type": "integer"}},
        "required": ["from", "to", "points"],
        "additionalProperties": False,
    }
    for axis in (keys["density"], definitions["Relative"]["properties"]["ratio"]):
        item = axis.pop("items")
        axis.pop("type"), axis.pop("minItems", None)
        axis["anyOf"] = [item, {"type": "array", "items": item, "minItems": 1}, log_range]
    by_name = {"enum": ["independent", "signed"]}
    one = {"anyOf": [by_name, {"$ref": "#/$defs/Distribution"}]}
    keys["distribution"] = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}], "default": "independent"}
    keys["values"] = {"anyOf": [{"enum": [*PREDEFINED]}, {"$ref": "#/$defs/Values"}], "default": "uniform"}
    overrides = {"type": "object", "properties": keys, "additionalProperties": False}
    defaults = {**overrides, "properties": {k: v for k, v in keys.items() if k not in REQUIRED_KEYS}}
    extra = {
        "from_paper": {
            "type": "array",
            "items": {"enum": list(keys)},
            "description": "keys whose values are stated in the paper",
        },
        "quick": {**overrides, "description": "values that differ at scale quick"},
        "family": {
            "type": "string",
            **NAMES,
            "description": "experiments of one family try each other's models in the search for the best ones",
        },
    }
    experiment = {**overrides, "properties": {**keys, **extra}, "required": REQUIRED_KEYS}
    file = ConfigFile.model_json_schema()
    file["properties"]["defaults"] = defaults
    file["properties"]["experiments"] = {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/Experiment"},
        "minProperties": 1,
        "propertyNames": NAMES,
    }
    return {"$defs": definitions | {"Experiment": experiment}, **file}


if __name__ == "__main__":
    for name, schema in schemas().items():
        Path(f"workflow/schemas/{name}.schema.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
