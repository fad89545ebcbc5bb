"""Descriptions of trained models: standard tables, polytopes recognised in W, and the roles of neurons.

Analyses that more than one section needs belong here. This package may import ``core`` and ``theory``.
"""
