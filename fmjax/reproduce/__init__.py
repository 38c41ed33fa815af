"""The paper's figures, one module per figure, and a report of them.

A figure is a module, or an object, with ``compute(quick, progress) -> dataset`` and ``draw(dataset) -> figure``: the
dataset holds all that is drawn, with units, error estimates and the result of every point, and can be read without fmjax.
`figures` holds them by name; `make_figure` makes one, `run` all of them and the report.
"""

from fmjax.reproduce.running import figures, make_figure, run

__all__ = ["figures", "make_figure", "run"]
