"""Theory, which needs no training: exact and high-precision expected losses, and the models that minimise them.

Closed forms, searches for optima, solution branches, and polytopes with their losses belong here, provided that more
than one section needs them. This package may import ``core``.
"""
