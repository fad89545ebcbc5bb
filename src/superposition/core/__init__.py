"""The vocabulary that the rest of the package shares: what is trained, and what comes of it.

Here belong the specification of a sweep, the architectures, the feature distributions, the random numbers, results and
their files, and the paper's measures of W. Nothing here imports from the rest of the package.
"""
