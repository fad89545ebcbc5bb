"""How trained models are described: standard tables, polytopes recognised in W, and what neurons do.

Here belongs what more than one section needs. May import ``core`` and ``theory``.
"""
