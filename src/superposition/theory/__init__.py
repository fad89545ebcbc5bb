"""What can be known without training: exact and precise expected losses, and the models that minimise them.

Here belong closed forms, searches for optima, branches of solutions, and polytopes with what they cost, as long as more
than one section needs them. May import ``core``.
"""
