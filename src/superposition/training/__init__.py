"""How a sweep is trained: the runner, the blocks that it cuts a sweep into, and the engines that train a block.

May import ``core`` and, of ``theory``, the losses and optima that models are ranked by. A change to any of these trains
everything again, so nothing that only measures or draws belongs here.
"""
