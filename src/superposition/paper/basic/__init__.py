"""Demonstrating superposition: more features than dimensions, as sparsity grows."""
