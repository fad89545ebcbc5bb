"""The files that say what is made: ``config.yaml`` and each section's ``section.yaml``, and their JSON schemas."""
