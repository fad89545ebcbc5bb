"""A check that configuration files can be read, made before Snakemake reads them."""

import json
from pathlib import Path
from typing import Any

import yaml

from superposition.core.errors import SuperpositionError, short_repr
from superposition.core.validation import check_known
from superposition.pipeline.config import ConfigFile

# Largest number of values in a file, counted with every alias expanded.
MAX_VALUES = 10**6


class _Loader(yaml.FullLoader):
    """Read YAML as Snakemake does, but reject duplicate keys and aliases that expand without end."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        # The number of values in each node, with every alias expanded.
        self.sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        node = super().compose_node(parent, index)
        if node not in self.sizes:
            children = node.value if isinstance(node, yaml.SequenceNode) else []
            if isinstance(node, yaml.MappingNode):
                children = [child for pair in node.value for child in pair]
                keys: set[tuple[str, str]] = set()
                for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                    if (key.tag, key.value) in keys:
                        problem = f"duplicate key {short_repr(key.value)}"
                        raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                    keys.add((key.tag, key.value))
            self.sizes[node] = 1 + sum(self.sizes[child] for child in children)
        if node.end_mark is None or self.sizes[node] > MAX_VALUES:
            problem = f"aliases refer to themselves or expand to more than {MAX_VALUES} values"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return node


def check_file(path: str | Path) -> None:
    """Check that a configuration file is a YAML or JSON mapping whose top-level keys are known.

    Raises:
        SuperpositionError: It is not; the message is one line that names the file, and the line if there is one.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        try:
            # Snakemake, too, tries JSON first.
            content = json.loads(text)
        except ValueError:
            content = yaml.load(text, _Loader)
    except OSError as error:
        raise SuperpositionError(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.MarkedYAMLError as error:
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        line = (error.problem_mark or error.context_mark).line + 1
        raise SuperpositionError(f"{path}, line {line}: {problem}") from None
    except Exception as error:  # PyYAML lets other exceptions through, as for an invalid date or very deep nesting.
        raise SuperpositionError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise SuperpositionError(f"{path}: should be a mapping with keys such as experiments")
    # Snakemake would interpret some keys itself, such as pathvars.
    check_known("config", content, ConfigFile.model_fields)
