"""How a functional is solved: Newton over its fields, curves, and the front door `solve` and `curve`."""

from fmjax.solvers.ascent import Climb, climb
from fmjax.solvers.clusters import ClusterPoint
from fmjax.solvers.front import clusters, curve, solve
from fmjax.solvers.outcome import describe
from fmjax.solvers.saddle import SaddlePoint

__all__ = ["Climb", "ClusterPoint", "SaddlePoint", "climb", "clusters", "curve", "describe", "solve"]
