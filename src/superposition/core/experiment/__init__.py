"""What an experiment trains: an architecture on a grid of conditions, its features, and how much work that is.

Here belong the keys of an experiment in ``config.yaml``, what each of them may be, and what follows from them alone,
without PyTorch.
"""
