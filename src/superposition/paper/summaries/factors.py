"""The polytopes that the summaries name, as factors of arrangements."""

from superposition.theory.catalogue import polytopes_with

SINGLE, DIGON, TRIANGLE, TETRAHEDRON, PENTAGON = (polytopes_with(k)[-1] for k in (1, 2, 3, 4, 5))
