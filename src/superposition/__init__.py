"""A replication of "Toy Models of Superposition" (Elhage et al., 2022).

    from superposition import Sweep, plot, train
    from superposition.analysis import tables

    sweep = Sweep(model="relu_output", n=5, m=2, density=[1, 0.2, 0.1], importance={"decay": 0.9}, restarts=10)
    trained = train(sweep)
    W = trained.best()["W"]
    features = tables.features(trained)
    plot(trained, "points")

These names are loaded on first use, so importing one module does not load the others. Everything else is imported from
its sub-package, whose docstring says what belongs there.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "core.errors": ["SuperpositionError"],
        "core.experiment.distribution": ["Distribution"],
        "core.models": ["Model"],
        "core.experiment.sweep": ["Sweep"],
        "core.weights": ["SweepResult"],
        "paper.custom.plot": ["plot"],
        "training.evaluation": ["losses"],
        "training.runner": ["train"],
    },
)
