"""Judge the claims about correlated features: their arrangements, and their local bases and principal components."""

from superposition.paper.correlated.claims import arrangements, bases
from superposition.pipeline.judging.claims import Claims

claims = Claims.gather(arrangements.claims, bases.claims)
