"""No verdicts: nothing is claimed."""

from superposition.pipeline.claims import Claims

claims = Claims("custom")
