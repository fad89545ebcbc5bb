"""A package per section of the report, nearly all of them the paper's, with a module per stage of the workflow.

``measure`` has ``measure(figure, trained)``, which makes the tables of a figure from the trained experiments. ``draw``
has ``draw(figure, tables)``, which makes the figure from the tables, and ``animate`` where it moves. ``judge`` has
``claims``, which judges from the tables of all figures of the section. What stages share is in the package itself; none
imports another, and no section another section, so that an edit makes again what comes of it and nothing else.
"""
