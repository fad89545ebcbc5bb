"""Common summaries of the paper: statements of textbooks and notes, each judged in its best reading."""

# Density at which features are "often active" and, in the summary's drawing, the threshold between its two regimes.
OFTEN_ACTIVE, DRAWN_THRESHOLD = 0.3, 0.15
# Sparsity of 90 % and more.
SPARSE = 0.1
# A step between neighbours in the plane that is nearer to the 72° of a pentagon than to the 60° of a hexagon, or an
# angle between neighbours that has reached half of the 72°.
STEP_TOLERANCE, APART = 6.0, 36.0
# Parts of its final value within which a norm counts as settled: that of the 72° of a step, its half and its double.
TOLERANCES = {"closer": STEP_TOLERANCE / 144, "as_angles": STEP_TOLERANCE / 72, "wider": STEP_TOLERANCE / 36}
