"""The claims about superposition as a phase change, by topic."""
