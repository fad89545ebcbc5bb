"""Judge the claims about superposition as a phase change: the diagrams, and what published comments add to them."""

from superposition.paper.phase.claims import comments, diagrams
from superposition.pipeline.judging.claims import Claims

claims = Claims.gather(diagrams.claims, comments.claims)
