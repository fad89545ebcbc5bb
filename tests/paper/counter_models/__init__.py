"""Counter-models: for every claim, tables of models that lack what the claim says.

Each module has the counter-models of a section as ``COUNTER_MODELS``: for every claim that has criteria, a function
without arguments that returns the tables of the section. They are measured by the section's own code from models such
as random or shuffled weights, linear models in place of ReLU-output ones, or biases of the wrong sign. Some
modules also have, as ``AS_STATED``, tables on which the claims hold that our models correct.
"""
