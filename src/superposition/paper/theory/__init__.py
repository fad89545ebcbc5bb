"""Mathematical understanding: the linear model's loss, and the loss by the number of active features."""
