"""Appendix: two numbers packed into one by nonlinear functions, held against the best linear maps."""

STATED = (3, 0.1)  # Z and ε at which the paper says that it still wins
