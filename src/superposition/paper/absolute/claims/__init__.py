"""The claims about computation in superposition, by topic."""
