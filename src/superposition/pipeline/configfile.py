"""Configuration files as a whole: whether one can be read, before Snakemake reads it."""

import json
from pathlib import Path
from typing import Any

import yaml

from superposition.core.errors import SuperpositionError, short_repr
from superposition.core.validation import check_known
from superposition.pipeline.config import File

# Number of values in a file, aliases written out.
LARGEST = 10**6


class _Loader(yaml.FullLoader):
    """Read YAML as Snakemake does, but reject duplicate keys and endless aliases."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.sizes: dict[yaml.Node, int] = {}  # of every node, with its aliases written out

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        node = super().compose_node(parent, index)
        if node not in self.sizes:
            children = node.value if isinstance(node, yaml.SequenceNode) else []
            if isinstance(node, yaml.MappingNode):
                children = [child for pair in node.value for child in pair]
                keys: set[tuple[str, str]] = set()
                for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                    if (key.tag, key.value) in keys:
                        problem = f"{short_repr(key.value)} is there twice"
                        raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                    keys.add((key.tag, key.value))
            self.sizes[node] = 1 + sum(self.sizes[child] for child in children)
        if node.end_mark is None or self.sizes[node] > LARGEST:
            problem = "its aliases contain themselves, or are too many"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return node


def check_file(path: str | Path) -> None:
    """Raise SuperpositionError, one line that names the file, unless it is a mapping in YAML or JSON."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        try:
            content = json.loads(text)  # as Snakemake does
        except ValueError:
            content = yaml.load(text, _Loader)
    except OSError as error:
        raise SuperpositionError(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.MarkedYAMLError as error:
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        line = (error.problem_mark or error.context_mark).line + 1
        raise SuperpositionError(f"{path}, line {line}: {problem}") from None
    except Exception as error:  # whatever it is that YAML makes of text: a month that is not there, a deep nest
        raise SuperpositionError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise SuperpositionError(f"{path}: should be a mapping of keys, such as experiments, to their values")
    check_known("config", content, File.model_fields)  # Snakemake would take some keys for its own
