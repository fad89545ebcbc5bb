"""A replication of "Toy Models of Superposition" (Elhage et al., 2022).

    from superposition import Sweep, plot, tables, train

    sweep = Sweep(model="relu_output", n=5, m=2, density=[1, 0.2, 0.1], importance={"decay": 0.9}, restarts=10)
    trained = train(sweep)
    W = trained.best()["W"]
    features = tables.features(trained)
    plot(trained, "points")

Names are loaded when they are first used, so importing one module does not load the others.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["exact", "geometry", "optimum", "plotting", "tables", "two_in_one"],
    submod_attrs={
        "errors": ["SuperpositionError"],
        "standard.plot": ["plot"],
        "sweep": ["Sweep", "Distribution"],
        "training": ["losses", "train"],
        "weights": ["Trained"],
    },
)
