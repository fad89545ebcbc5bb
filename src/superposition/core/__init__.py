"""What is trained and what is kept of it: the vocabulary that the rest of the package shares.

Here belong the specification of a sweep, the architectures, the feature distributions, random numbers, results and
their files, and the measures that the paper takes of W. Imports nothing from the rest of the package.
"""
