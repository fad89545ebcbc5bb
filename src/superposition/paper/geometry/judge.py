"""Judge the claims about uniform superposition: features per dimension, D_i, polytopes, and the aside."""

from superposition.paper.geometry.claims import aside, dimensionality, dimensions, plateaus, polytopes, sharpness
from superposition.pipeline.judging.claims import Claims

topics = (plateaus, dimensions, dimensionality, sharpness, polytopes, aside)
claims = Claims.gather(*(topic.claims for topic in topics))
