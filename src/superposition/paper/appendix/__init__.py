"""Appendix, "Nonlinear compression": two numbers packed into one, compared with the best linear compression."""

# Z and ε at which, according to the paper, nonlinear compression still beats linear compression.
PAPER_SETTING = (3, 0.1)
