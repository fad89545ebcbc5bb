"""Non-uniform superposition: five features in two dimensions, one of them denser or sparser than the others.

The varied feature is the first one. There are two kinds of solutions, the pentagon and two digons; both are also
followed exactly, as local minima of a precise loss.
"""

import numpy as np

from superposition.theory import polytopes
from superposition.theory.polytopes import Polytope

# The regular pentagon whose first corner points up.
UPRIGHT_PENTAGON = Polytope("pentagon", polytopes.polygon(5)[::-1])
# Two orthogonal digons; the varied feature is dropped.
TWO_DIGONS = np.concatenate([np.zeros((2, 1)), polytopes.polygon(4)], axis=1)
# The relative density at which the paper sees the crossover.
PAPER_CROSSOVER = 1 / 2.5
