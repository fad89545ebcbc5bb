"""Training: the runner, the blocks into which it divides a sweep, and the engines that train a block.

This package may import ``core`` and, from ``theory``, the losses and optima that models are ranked by. A change to any
of these retrains every model, so nothing that only measures or draws belongs here.
"""
