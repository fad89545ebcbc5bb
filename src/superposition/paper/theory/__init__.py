"""Mathematical understanding: the two terms of the linear model's loss, and the loss by number of active features."""
