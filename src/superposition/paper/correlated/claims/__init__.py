"""The claims about correlated features, by topic."""
