"""Claims about custom sweeps: there are none."""

from superposition.pipeline.claims import Claims

claims = Claims("custom")
