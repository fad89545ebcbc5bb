"""The workflow apart from the science: configuration, jobs, verdicts, provenance and the report.

This sub-package knows that the paper has sections, figures and claims, but names none of them: a job imports the
section that it needs. It may import every sub-package but ``paper`` and ``plotting``, and never Snakemake, which calls
this package.
"""

# The environment variable that says that a panel at a terminal shows failures, from the last line of a job's log.
PANEL = "SUPERPOSITION_PANEL"
