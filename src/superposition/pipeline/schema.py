"""The JSON schema of ``config.yaml``, by which editors complete and check it.

``python -m superposition.pipeline.schema > workflow/schemas/config.schema.json`` writes it anew.
"""

import json
from typing import Any

from superposition.core.sweep import Sweep
from superposition.pipeline.config import CUSTOM, ESSENTIAL, LONGEST, NAME, File


def schema() -> dict[str, Any]:
    """Return the schema."""
    sweep = Sweep.model_json_schema()
    definitions = sweep.pop("$defs", {})
    keys = sweep["properties"]
    # An axis may be written as one value, a list or a logarithmic range; pydantic's schema knows only its parsed form.
    span = {
        "type": "object",
        "properties": {"from": {"type": "number"}, "to": {"type": "number"}, "points": {"type": "integer"}},
        "required": ["from", "to", "points"],
        "additionalProperties": False,
    }
    for axis in (keys["density"], definitions["Relative"]["properties"]["ratio"]):
        item = axis.pop("items")
        axis.pop("type"), axis.pop("minItems", None)
        axis["anyOf"] = [item, {"type": "array", "items": item, "minItems": 1}, span]
    by_name = {"enum": ["independent", "signed"]}
    one = {"anyOf": [by_name, {"$ref": "#/$defs/Distribution"}]}
    keys["distribution"] = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}], "default": "independent"}
    own = {"type": "object", "properties": keys, "additionalProperties": False}
    defaults = {**own, "properties": {k: v for k, v in keys.items() if k not in ESSENTIAL}}
    stated = {"type": "array", "items": {"enum": list(keys)}, "description": "keys whose values the paper states"}
    experiment = {
        **own,
        "properties": {**keys, "stated": stated, "quick": {**own, "description": "what differs at scale quick"}},
        "required": ESSENTIAL,
    }
    file = File.model_json_schema()
    file["properties"]["defaults"] = defaults
    file["properties"]["experiments"] = {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/Experiment"},
        "minProperties": 1,
    }
    for names in ("experiments", "sections", "figures"):
        file["properties"][names]["propertyNames"] = {"pattern": NAME, "maxLength": LONGEST}
    file["properties"]["sections"]["propertyNames"]["not"] = {"const": CUSTOM}
    file["$defs"] |= definitions | {"Experiment": experiment}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **file, "title": "config.yaml"}


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
