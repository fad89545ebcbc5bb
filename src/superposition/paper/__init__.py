"""One module per section of the report, nearly all of them the paper's: how its weights are measured, drawn and judged.

A module has ``measure(figure, trained)``, which makes the tables of a figure from the trained experiments;
``draw(figure, tables)``, which makes the figure from the tables; and ``claims``, which judges from the tables of all
figures of the section. Modules of this package do not import one another.
"""
