"""The claims about features of different densities, by topic."""
