"""The claims about uniform superposition, by topic."""
