"""One package per section of the report, most of them sections of the paper, with one module per workflow stage.

``measure`` provides ``measure(figure, trained)``, which computes the tables of a figure from its trained experiments.
``draw`` provides ``draw(figure, tables)``, which draws the figure from its tables, and ``animate`` for animated
figures. ``judge`` provides ``claims``, which are judged from the tables of all figures of the section. Code that stages
share is in the section's package itself. No stage imports another stage and no section another section, so an edit
reruns only what depends on it.
"""
