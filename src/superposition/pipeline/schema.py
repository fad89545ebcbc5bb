"""The JSON schema of ``config.yaml``, with which editors complete and check it.

To update the file: ``python -m superposition.pipeline.schema > workflow/schemas/config.schema.json``.
"""

import json
from typing import Any

from superposition.core.sweep import Sweep
from superposition.pipeline.config import CUSTOM, MAX_NAME_LENGTH, NAME_PATTERN, REQUIRED_KEYS, ConfigFile


def schema() -> dict[str, Any]:
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
            "pattern": NAME_PATTERN,
            "description": "experiments of one family try each other's models when the best ones are searched",
        },
    }
    experiment = {**overrides, "properties": {**keys, **extra}, "required": REQUIRED_KEYS}
    file = ConfigFile.model_json_schema()
    file["properties"]["defaults"] = defaults
    file["properties"]["experiments"] = {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/Experiment"},
        "minProperties": 1,
    }
    for names in ("experiments", "sections", "figures"):
        file["properties"][names]["propertyNames"] = {"pattern": NAME_PATTERN, "maxLength": MAX_NAME_LENGTH}
    file["properties"]["sections"]["propertyNames"]["not"] = {"const": CUSTOM}
    file["$defs"] |= definitions | {"Experiment": experiment}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **file, "title": "config.yaml"}


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
