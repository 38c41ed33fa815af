"""Critical points of the geometry of solutions, as square systems solved by the same Newton.

Each threshold appends conditions to saddle equations and controls to their unknowns; autodiff gives the Jacobian, a coarse
scan the start, and the implicit function theorem the derivatives. Nobody supplies a guess.

All functions take a `Model`, compute in float64 and return a `Threshold`. They work under `jax.jit`, `jax.vmap` and
`jax.grad`, with respect to ``alpha`` and the array leaves of the model. What makes no sense raises before anything runs,
unless it is being traced; what was not found is NaN, and ``result`` says why.
"""

from fmjax.solvers.temperatures import freezing, inverse_temperature
from fmjax.solvers.threshold import Threshold
from fmjax.thresholds.ensembles import centred_alpha_u, centred_fold, robust_alpha_u, robust_capacity
from fmjax.thresholds.solutions import (
    alpha_u,
    capacity,
    kappa_max,
    kappa_min,
    kappa_u,
    one_step_capacity,
    perfect_generalisation,
    spinodal,
)

__all__ = [
    "Threshold",
    "alpha_u",
    "capacity",
    "centred_alpha_u",
    "centred_fold",
    "freezing",
    "inverse_temperature",
    "kappa_max",
    "kappa_min",
    "kappa_u",
    "one_step_capacity",
    "perfect_generalisation",
    "robust_alpha_u",
    "robust_capacity",
    "spinodal",
]
