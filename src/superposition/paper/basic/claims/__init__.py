"""The claims about the basic results, by topic."""
