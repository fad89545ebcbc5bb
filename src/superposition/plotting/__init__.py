"""Common style of the figures, and the panels that several sections draw.

Drawing code that more than one section needs belongs here; what only one section draws belongs to that section. This
package may import ``core``, ``theory`` and ``analysis``, but nothing that needs PyTorch: figures are drawn from tables
alone.
"""
