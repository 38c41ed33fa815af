"""The paper's figures, one module per figure, and a report of them.

A figure is a module, or an object, with ``compute(quick, engine) -> dataset`` and ``draw(dataset) -> figure``: all numbers
are asked of the engine, which keeps them as sweeps; the dataset holds all that is drawn, with units, error estimates and the
result of every point, and can be read without fmjax. `figures` holds them by name; `make_figure` makes one, `run` all of
them and the report.
"""

import lazy_loader

# Fetched on first use: to list the figures must not wait for JAX.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
