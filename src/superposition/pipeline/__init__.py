"""What the workflow is made of beside the science: its configuration, jobs, verdicts, record and report.

Knows that the paper has sections, figures and claims, but none of them by name: a section is looked up where a job
needs it. May import ``core``, ``theory`` and ``training``; never Snakemake, which calls this package.
"""
