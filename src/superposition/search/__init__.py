"""The search for the best model under every condition: what training may have missed, and by how much.

Models are carried over from other conditions and other sizes, built from polytopes, and polished. Importing this
sub-package from ``training`` would train all models again whenever the search changes.
"""
