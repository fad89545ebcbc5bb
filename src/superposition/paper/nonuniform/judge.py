"""Judge the claims about features of different densities: solutions, losses, and the distance from the circle."""

from superposition.paper.nonuniform.claims import losses, norms, solutions
from superposition.pipeline.judging.claims import Claims

claims = Claims.gather(solutions.claims, losses.claims, norms.claims)
