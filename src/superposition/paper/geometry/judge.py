"""Judge the claims about uniform superposition: features per dimension, D_i, polytopes, and the aside."""

from superposition.paper.geometry.claims import aside, dimensionality, dimensions, polytopes, sharpness
from superposition.pipeline.judging.claims import Claims

topics = (dimensions, dimensionality, sharpness, polytopes, aside)
claims = Claims(
    "geometry",
    [claim for topic in topics for claim in topic.claims],
    [omission for topic in topics for omission in topic.claims.omissions],
)
