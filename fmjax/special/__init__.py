r"""Gaussian tail, Mills ratio and ln 2cosh: accurate with all their derivatives, and fast.

Let ``Z`` be a standard normal variable. The derivatives of ``ln H`` are cumulants of the excess ``Z - x`` given
``Z > x``, which has the moments ``a_k = E[(Z - x)^k | Z > x]``:

.. math::
    r = x + a_1, \qquad r' = 1 - \kappa_2, \qquad r^{(n)} = (-1)^n \kappa_{n + 1} \quad (n \ge 2).

For large ``x`` the excess is nearly exponential, ``a_k ~ k!/x^k``: cumulants from moments lose a constant factor, where
the textbook chain ``r' = r (r - x)`` loses ``x^2`` per order. For ``x < 0`` that chain is the accurate one.

The moments are ratios of repeated integrals of the tail, ``A_{-1} = density``, ``A_0 = H``, ``a_k = k! A_k / A_0``,
with ``A_{k-2} = x A_{k-1} + k A_k``. Downwards all terms are positive and errors shrink: one fit of ``A_4 / A_3`` on
the half line yields everything, and ``x < 0`` follows from ``H(x) = 1 - H(-x)``.

How the code is arranged is set by what XLA does on a CPU (jax 0.10.2; times are per float64 element):

* a kernel that holds ``jnp.log`` is not vectorised, hence `fast_log` (``log_H``: 6 ns, with ``jnp.log`` 9 to 14);
* a division that several results share is computed once and stored, a polynomial anew for each of them, hence a
  rational fit (value, slope and curvature of ``log_H`` together: 8 ns, with a polynomial 16);
* a reduction pulls in additions and stores their operands, hence results that end in a select.
"""

from fmjax.special.cosh import log_2cosh
from fmjax.special.elementary import derivatives
from fmjax.special.gaussian import log_H, mills_ratio

__all__ = ["derivatives", "log_2cosh", "log_H", "mills_ratio"]
