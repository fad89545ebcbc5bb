"""Judge the claims about computation in superposition: what is computed, by which neurons, and the motif."""

from superposition.paper.absolute.claims import computing, motif, neurons
from superposition.pipeline.judging.claims import Claims

claims = Claims.gather(computing.claims, neurons.claims, motif.claims)
