"""Non-uniform superposition: five features in two dimensions, one of them denser or sparser than the others.

The varied feature is the first one. Solutions are of two kinds, pentagon and two digons; both are also followed
exactly, as local minima of a precise loss.
"""

from superposition.theory import polytopes
from superposition.theory.polytopes import Polytope

PENTAGON = Polytope("pentagon", polytopes.polygon(5)[::-1])  # the first corner points up
PAPER = 1 / 2.5  # where the paper has the crossover
