"""Demonstrating superposition: as sparsity grows, models represent more features than they have dimensions."""
