"""A check that configuration files can be read, made before Snakemake reads them."""

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from superposition.core.errors import SuperpositionError
from superposition.core.validation import check_known
from superposition.pipeline.configuration.config import ConfigFile


def check_file(path: str | Path) -> None:
    """Check that a configuration file is a YAML or JSON mapping whose keys are unique and, at the top level, known.

    Raises:
        SuperpositionError: It is not; the message is one line that names the file, and the line if there is one.
    """
    try:
        content = YAML(typ="safe", pure=True).load(Path(path))
    except MarkedYAMLError as error:
        line = (error.problem_mark or error.context_mark).line + 1
        raise SuperpositionError(f"{path}, line {line}: {error.problem}") from None
    except Exception as error:  # A file that is missing or no text, an invalid date, a very deep nesting.
        raise SuperpositionError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise SuperpositionError(f"{path}: should be a mapping with keys such as experiments")
    # Snakemake would interpret some keys itself, such as pathvars.
    check_known("config", content, ConfigFile.model_fields)
