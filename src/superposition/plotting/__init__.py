"""How results look: one style, and the pictures that several sections draw.

Here belongs what takes numbers and draws them; what only one section draws belongs to that section. May import ``core``
and ``theory``, but nothing that needs PyTorch: a figure is drawn from its tables alone.
"""
