"""Claims about custom sweeps: there are none."""

from superposition.pipeline.judging.claims import Claims

claims = Claims("custom")
