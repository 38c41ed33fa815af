"""Where typical solutions end, and where the local entropy around one of them changes its shape."""

from __future__ import annotations

from functools import partial

from jaxtyping import Array, Float

from fmjax.models import Model
from fmjax.replica import Equilibrium
from fmjax.solvers.answers import (
    around_reference,
    breaking,
    hardest,
    largest,
    load_around_reference,
    shrinking,
)
from fmjax.solvers.folds import (
    critical_point,
    fold_in_alpha,
    fold_in_margin,
    touching_zero,
)
from fmjax.solvers.front import as_float64, in_float64
from fmjax.solvers.shrinking import lowest_load
from fmjax.solvers.spinodal import end_of_branch
from fmjax.solvers.start import FOLDING, TOUCHING, start_at_zero_entropy, start_in_margins
from fmjax.solvers.threshold import (
    Threshold,
    check_continuous,
    check_discrete,
    check_learnable,
    check_margin,
    check_reference,
)
from fmjax.solvers.zero_entropy import hardest_margin, largest_alpha

__all__ = [
    "alpha_u",
    "capacity",
    "kappa_max",
    "kappa_min",
    "kappa_u",
    "one_step_capacity",
    "perfect_generalisation",
    "spinodal",
]

_Scalar = Float[Array, ""]


@in_float64
def capacity(model: Model) -> Threshold:
    """Largest number of patterns per weight that typically has solutions, ``alpha_c(kappa)``.

    Discrete weights: ``S(alpha_c, kappa) = 0``, for binary ones at margin 0 at 0.833078599 (Krauth and Mezard 1989).
    Continuous ones: they shrink to a point, ``q -> 1``, at ``alpha_c = Q'(1) / (Q(1) E[distance^2])``, the distance of ``z ~
    N(0, 1)`` from the allowed set in deviations of the pre-activation (Gardner 1988); infinite where an activation jumps.
    Where the ``replicon`` is negative, as for every kinked activation and for negative margins, this is an upper bound;
    `one_step_capacity` is a better one. The replicon of kinked activations diverges as ``q -> 1``: it is given at 1 - 1e-6.

    Args:
        model: what is learned, at its own margin.

    Raises:
        ValueError: a margin of more than 20 deviations of the pre-activation, arrays in place of numbers; tracing with
            float64 off: as everywhere here.
        TypeError: what is no model.

    Example:
        >>> import fmjax
        >>> print(f"{fmjax.thresholds.capacity(fmjax.Perceptron(margin=0.0)).value:.10f}")
        0.8330785997
    """
    check_margin(model)
    functional = as_float64(Equilibrium(model))
    if not model.weights.discrete:
        return shrinking(functional.model)
    return largest(functional, largest_alpha(functional))


@in_float64
def one_step_capacity(model: Model) -> Threshold:
    """`capacity` of continuous weights with one step of replica-symmetry breaking: what is left where that is unstable.

    Solutions lie in clusters; as they shrink to points, clusters are ``distance`` apart. Never above `capacity`, and the
    same where replica symmetry is stable there (a perceptron at margins from 0 on); further steps would lower it further.
    For ReLU 2.664280, in print 2.6643 (Baldassi, Malatesta, Zecchina 2019); for a perceptron at margin -1 12.319634, where
    `capacity` is 13.273200.

    Args:
        model: continuous weights, and an activation without jumps.

    Raises:
        ValueError: discrete weights, a teacher, or an activation that jumps; otherwise as for `capacity`.
        TypeError: what is no model.
    """
    check_continuous(model)
    model = as_float64(model)
    return breaking(model, lowest_load(model))


@in_float64
def perfect_generalisation(model: Model) -> Threshold:
    """Load above which typical solutions are the teacher, at margin 0: a first-order transition.

    The teacher is a solution at any load. Alone it has the entropy zero, which is that of the branch ``R = 1``; the branch
    of solutions with ``R < 1`` has more as long as ``S(alpha) > 0``, so that the two cross where it vanishes (Gyorgyi 1990,
    Sompolinsky, Tishby and Seung 1990). ``distance`` is that of two solutions on the branch ``R < 1``, which lives on to
    its `spinodal`.

    Args:
        model: discrete weights with ``teacher=True``, at margin 0.

    Raises:
        ValueError: the model has no teacher, other weights, or another margin.
        TypeError: what is no model.
    """
    check_learnable(model)
    functional = as_float64(Equilibrium(model))
    return largest(functional, largest_alpha(functional))


@in_float64
def spinodal(model: Model) -> Threshold:
    """Load at which the branch of solutions with ``R < 1`` ends: up to it they trap a search for the teacher.

    There the branch turns back: ``d alpha / d R = 0``. Beyond, ``R = 1`` is the only typical solution.
    ``model`` is that of `perfect_generalisation`.

    Raises:
        ValueError: as for `perfect_generalisation`.
        TypeError: what is no model.
    """
    check_learnable(model)
    functional = as_float64(Equilibrium(model))
    return largest(functional, end_of_branch(functional))


@in_float64
def kappa_max(model: Model, alpha: float | _Scalar) -> Threshold:
    """Hardest margin that typically has solutions at ``alpha``: ``S(alpha, kappa_max) = 0``, the inverse of `capacity`.

    The largest one of a `Margin`, and the smallest one of a `SymmetricMargin`, whose first moment is exact:
    ``alpha ln P[|z| < kappa_max] = -ln 2`` for binary weights (Aubin, Perkins and Zdeborova 2019).

    Args:
        model: what is learned; its own margin does not matter.
        alpha: patterns per weight, positive; beyond `capacity` at margin 0 the answer for a `Margin` is negative.

    Raises:
        ValueError: ``alpha`` is not finite, or below 3e-5 (a `SymmetricMargin`: 2e-3), or the weights are not discrete:
            their entropy is not that of a number of solutions.
        TypeError: what is no model.

    Example:
        >>> import fmjax
        >>> print(f"{fmjax.thresholds.kappa_max(fmjax.Perceptron(), 0.5).value:.8f}")
        0.41806250
    """
    check_reference(model, alpha)
    functional, alpha = as_float64((Equilibrium(model), alpha))
    return hardest(hardest_margin(functional, alpha), functional.model, alpha)


@in_float64
def kappa_min(model: Model, alpha: float | _Scalar) -> Threshold:
    """Reference margin from which on the local entropy is nowhere negative (Baldassi et al. 2021, figure 3).

    From there on margins are harder: larger, or smaller ones of a `SymmetricMargin`. The interior minimum of ``phi(d)``, see
    `FranzParisi`, touches zero: ``phi = 0`` and ``dphi/dd = 0``. At loads where it would lie beyond `kappa_max`, where there
    are no references, ``result`` says that there is none and the numbers are NaN.

    Args:
        model: the counted solutions, at their own margin; the margin of the reference is what is looked for.
        alpha: patterns per weight, positive.

    Raises:
        ValueError: as for `kappa_max`.
        TypeError: what is no model.
    """
    check_reference(model, alpha)
    model, alpha = as_float64((model, alpha))
    return around_reference(critical_point(touching_zero, partial(start_in_margins, TOUCHING), (model, alpha)), model, alpha)


@in_float64
def kappa_u(model: Model, alpha: float | _Scalar) -> Threshold:
    """Reference margin from which on the local entropy rises all the way to its maximum (Baldassi et al. 2021, figure 3).

    There a double zero of ``dphi/dd`` appears: ``phi' = 0`` and ``phi'' = 0``. Beyond `alpha_u` there is none. ``model`` and
    ``alpha`` are those of `kappa_min`.

    Raises:
        ValueError: as for `kappa_max`.
        TypeError: what is no model.
    """
    check_reference(model, alpha)
    model, alpha = as_float64((model, alpha))
    return around_reference(critical_point(fold_in_margin, partial(start_in_margins, FOLDING), (model, alpha)), model, alpha)


@in_float64
def alpha_u(model: Model) -> Threshold:
    """``alpha'_U``: largest load at which the local entropy around maximum-margin references is monotonic.

    ``kappa_u(alpha) = kappa_max(alpha)``: ``phi' = phi'' = 0`` around a reference of zero entropy (Baldassi et al. 2021,
    figure 4). For binary weights at margin 0 it is 0.729032811. With a teacher both the reference and the counted solutions
    are typical ones of its labels, on the branch ``R < 1``; the reference is not the teacher, whose smallest stability is
    0. Such references end at `perfect_generalisation`, and ``alpha'_U`` lies below it. Where no load at which `kappa_max`
    is known separates monotonic local entropies from others, ``result`` says so and the numbers are NaN.

    Of a narrow `SymmetricMargin` it is ``kappa^2 (ln(1/kappa) + 1.07)`` (measured for margins from 0.05 to 0.1), a small
    part of the capacity ``ln 2 / ln(1/kappa)``: it scales like the loads above which stable algorithms are known to fail
    (Gamarnik, Kizildag, Perkins and Xu 2022).

    Args:
        model: the counted solutions, at their own margin.

    Raises:
        ValueError: weights that are not discrete: their entropy is not that of a number of solutions.
        TypeError: what is no model.
    """
    check_discrete(model)
    model = as_float64(model)
    return load_around_reference(critical_point(fold_in_alpha, partial(start_at_zero_entropy, FOLDING), (model,)), model)
