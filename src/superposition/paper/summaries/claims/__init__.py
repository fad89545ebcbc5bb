"""The claims of common summaries, by topic."""
