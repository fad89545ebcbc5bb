"""The claims about uniform superposition, by topic."""

from superposition.paper.geometry import LARGE_SWEEP, NOTEBOOK_SWEEP
from superposition.pipeline.judging.claims import Tables


def describe_authors_models(data: Tables) -> str:
    """Return D* of the models trained as in the authors' notebook, and by what share the best known ones cost less."""
    tables = data["dimensions_per_feature"]
    theirs, known = (tables[kind].set_index(["experiment", "position"]) for kind in ("curves", "best"))
    theirs, known = theirs.loc[NOTEBOOK_SWEEP], known.loc[LARGE_SWEEP].add_suffix("_known")
    rows = theirs.join(known).sort_index()
    return (
        "D* of models trained as in the authors' notebook, and what they cost more than the best known: "
        + ", ".join(
            f"{row.dimensions_per_feature:.3f} and {row.loss / row.loss_known - 1:.1%} at 1-S = {row.density:.3g}"
            for row in rows.itertuples()
        )
    )
