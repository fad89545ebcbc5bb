"""Judge statements of common summaries of the paper."""

from superposition.paper.summaries.claims import crowds, pairs, plane, polytopes, training
from superposition.pipeline.judging.claims import Claims

topics = (plane, polytopes, pairs, training, crowds)
claims = Claims.gather(*(topic.claims for topic in topics))
