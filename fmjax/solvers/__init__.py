"""How a functional is solved: Newton over its fields, curves, and the front door `solve` and `curve`."""

from fmjax.solvers.clusters import ClusterPoint
from fmjax.solvers.front import clusters, curve, solve
from fmjax.solvers.saddle import SaddlePoint
from fmjax.solvers.temperatures import thermodynamics
from fmjax.solvers.thermodynamics import Thermodynamics

__all__ = ["ClusterPoint", "SaddlePoint", "Thermodynamics", "clusters", "curve", "solve", "thermodynamics"]
