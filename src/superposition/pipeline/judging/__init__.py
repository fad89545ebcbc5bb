"""Verdicts: criteria, the claims that they decide, and how far verdicts depend on the training configuration."""
