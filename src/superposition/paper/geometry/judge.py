"""Judge the claims about uniform superposition: features per dimension, D_i, polytopes, and the aside."""

from superposition.paper.geometry.claims import aside, dimensionality, dimensions, polytopes, sharpness
from superposition.pipeline.judging.claims import Claims

claims = Claims.gather(dimensions.claims, dimensionality.claims, sharpness.claims, polytopes.claims, aside.claims)
