"""Judge what the linear model represents, and what the ReLU-output model represents as sparsity grows."""

from superposition.paper.basic.claims import arrangements, crowding, linear, sizes
from superposition.pipeline.judging.claims import Claims

claims = Claims.gather(linear.claims, crowding.claims, arrangements.claims, sizes.claims)
