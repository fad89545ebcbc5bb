"""One package per section of the report, most of them sections of the paper.

``section.yaml`` has the section's title and the captions of its figures; sections are found by this file. The modules
are the stages of the workflow: ``measure`` has a function per figure, named like it, which computes the figure's tables
from its trained experiments, by experiment; the report shows a table ``numbers`` beside the figure. ``draw`` has a
function of the same name that draws the figure from its tables, and ``animate_<figure>`` if it is animated. ``judge``
provides ``claims``, which are judged from the tables of all figures of the section. Code that stages share is in the
section's package itself. No stage imports another stage and no section another section, so an edit reruns only what
depends on it.
"""
