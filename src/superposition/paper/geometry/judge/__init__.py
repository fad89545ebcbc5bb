"""Judge the claims about uniform superposition, by topic: features per dimension, D_i, polytopes, and the aside."""

from superposition.paper.geometry.judge import aside, dimensionality, dimensions, polytopes
from superposition.pipeline.claims import Claims

claims = Claims("geometry")
for topic in (dimensions, dimensionality, polytopes, aside):
    claims.items += topic.claims.items
