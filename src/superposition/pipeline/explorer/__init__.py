"""The explorer: one HTML page in which a run's models can be pointed at, turned, and trained anew.

``packing`` has the format of the data, ``run`` reads the results, ``sweeps`` shows any sweep at any of its points,
``views`` has what is shown of the paper's figures, and ``page`` puts everything into one page with the styles and
scripts of ``report/explorer/``.
"""
