"""No verdicts: nothing is claimed."""

from superposition.claims import Claims

claims = Claims("own")
