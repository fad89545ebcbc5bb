"""The repository's own configuration, read once for all tests: as it stands in the file, and at both scales."""

from pathlib import Path

import yaml

from superposition.pipeline.configuration.config import Config

ROOT = Path(__file__).parents[1]
RAW = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
CONFIGS = {scale: Config.parse(RAW | {"scale": scale}) for scale in ("paper", "quick")}
CONFIG, QUICK = CONFIGS.values()
