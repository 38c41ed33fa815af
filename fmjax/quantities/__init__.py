"""What can be computed, each quantity once: commands, sweeps and the report read it from here.

>>> from fmjax.quantities import QUANTITIES
>>> kappa_u = QUANTITIES["kappa-u"]
>>> print(kappa_u.about)
kappa_u(alpha): above it phi(d) is monotonic
>>> print(kappa_u.controls["alpha"].allowed)
a finite number above 0

A row says what it is, its controls and outputs with their units and ranges, and where the function is that computes it,
which is imported when it is called: to list quantities imports no JAX. A new quantity is one new row.
"""

from fmjax.quantities.experiments import EXPERIMENTS
from fmjax.quantities.quantity import Control, Late, Output, Quantity
from fmjax.quantities.theory import THEORY
from fmjax.quantities.thresholds import THRESHOLDS

__all__ = ["EXPERIMENTS", "QUANTITIES", "THEORY", "THRESHOLDS", "Control", "Late", "Output", "Quantity"]

QUANTITIES: dict[str, Quantity] = {**THEORY, **THRESHOLDS, **EXPERIMENTS}
