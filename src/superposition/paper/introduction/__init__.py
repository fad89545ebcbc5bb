"""Introduction: five features in two dimensions, at three sparsities."""
