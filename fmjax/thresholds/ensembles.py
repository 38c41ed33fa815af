"""Where groups of solutions end, or change the shape of their entropy."""

from __future__ import annotations

import math
from functools import partial

from jaxtyping import Array, Float

from fmjax.checks import is_traced
from fmjax.models import Model
from fmjax.replica import CentredEnsemble, RobustEnsemble, UltrametricEnsemble
from fmjax.solvers.answers import between_groups, between_replicas
from fmjax.solvers.asking import require
from fmjax.solvers.folds import System, critical_point, ensemble_fold, ensemble_pass, ensemble_touching_zero, ensemble_turn
from fmjax.solvers.front import as_float64, in_float64
from fmjax.solvers.start import FOLDING, TOUCHING, Event, start_in_loads
from fmjax.solvers.start_around_centres import start_at_a_kink
from fmjax.solvers.threshold import Threshold, check_margin
from fmjax.solvers.ultrametric import least_load

__all__ = ["centred_alpha_u", "centred_fold", "robust_alpha_u", "robust_capacity"]

_Scalar = Float[Array, ""]


@in_float64
def robust_alpha_u(model: Model) -> Threshold:
    """Largest load at which the entropy of infinitely many replicas increases all the way to typical distances.

    There a double zero of ``dphi/dd`` appears, see `RobustEnsemble`. For binary weights at margin 0 it is 0.755302026, in an
    ansatz that is symmetric between groups. In print ``alpha_U`` is about 0.77: that of the densest regions that exist, see
    `centred_alpha_u`. That of finitely many replicas never is monotonic:
    ``y`` copies of one solution have a ``y``-th of its entropy, and typical solutions are isolated.

    Args:
        model: the solutions, with binary weights and without a teacher.

    Raises:
        ValueError: a margin of more than 20 deviations of the pre-activation, a teacher, or weights that are not binary.
        TypeError: what is no model.
    """
    return _of_ensemble(ensemble_fold, FOLDING, model, math.inf)


@in_float64
def centred_alpha_u(model: Model) -> Threshold:
    """Largest load at which the local entropy of the densest regions rises all the way from small to typical distances.

    That of as many replicas as leave no entropy of centres, ``S_I(d)`` where ``S_E = 0``, see `CentredEnsemble`. In the
    landscape of ``S_E`` over distances and numbers of replicas, or rather on one sheet of it, as replicas at given distance
    and number may be in several states, the curve is the shoreline: small distances, with few replicas, and large ones, with
    many, are on one shore up to the load at which the pass in between lies at sea level, ``S_E = dS_E/dy = dS_E/dd = 0``.
    Beyond it there are two: from small distances ``S_I`` rises to a level that it keeps, as replicas become infinitely many
    and their centre ceases to pull; from large ones the curve turns back. Dense regions are islands then. For binary weights
    at margin 0 it is 0.766820576, with 16.9 replicas at distance 0.0435; just before, at `centred_fold`, the curve begins to
    fold. In print, of such regions: about 0.77 (Baldassi et al. 2015), between 0.77 and 0.78 (2506.19276), 0.7764
    (2511.01037). All this in an ansatz that is symmetric between centres: it keeps the islands even beyond the capacity,
    where there are no solutions, and is not to be trusted with them far from this load.

    On no branch does ``S_I`` fall with the distance: its slope is twice the field towards the centre, and where that
    vanishes finitely many replicas know nothing of their centre, at distance 1/2. That of infinitely many, which follow
    their centre anyway, ceases to be monotonic at `robust_alpha_u`.

    Found for perceptrons of margins from -2 to 1.5, tree committees, and a `SymmetricMargin` of 1 (1.356651989); elsewhere
    ``result`` may say that it was not.

    Args:
        model: the solutions, with binary weights and without a teacher.

    Raises:
        ValueError: as for `robust_alpha_u`.
        TypeError: as for `robust_alpha_u`.
    """
    return _around_centre(ensemble_pass, model)


@in_float64
def centred_fold(model: Model) -> Threshold:
    """Largest load at which there is one local entropy of the densest regions at every distance.

    Beyond, the curve of `centred_alpha_u` turns back, and forth again: here its distance is stationary twice, ``d' = d'' =
    0``. At margin 0 this is 0.766530134, at distance 0.0420 with 15.4 replicas; at 0.766820576 the curve is torn.

    Args:
        model: that of `centred_alpha_u`.

    Raises:
        ValueError: as for `robust_alpha_u`.
        TypeError: as for `robust_alpha_u`.
    """
    return _around_centre(ensemble_turn, model)


def _around_centre(system: System, model: Model) -> Threshold:
    check_margin(model)
    functional = as_float64(CentredEnsemble(model, "typical"))
    return between_replicas(functional, critical_point(system, start_at_a_kink, (functional,)))


@in_float64
def robust_capacity(model: Model, replicas: float | _Scalar = math.inf, groups: float | _Scalar = 1.0) -> Threshold:
    """Largest load at which the entropy of a robust ensemble is nowhere negative: ``phi = dphi/dd = 0``.

    Beyond, there are no groups of ``replicas`` solutions at some ``distance`` from each other. At margin 0 it is 0.79877,
    0.78759, 0.78438, 0.79155, 0.80017 for 2, 3, 4, 8, 12 replicas, in print 0.784 at best. Of a teacher's students it is
    1.17900, 1.15388, 1.15886 for 2, 4, 6 replicas; in print, 1.154 at best. Several ``groups`` have overlaps of two levels,
    see `fmjax.replica.UltrametricEnsemble`: of 3 groups of 4 it is 0.77191, of a `SymmetricMargin` of 1 1.62182, where 4
    replicas have 1.65781; in print, 1.6219 and 1.6578 (Stojnic 2026).

    Args:
        model: the solutions, with binary weights.
        replicas: ``y``, more than 1 and up to 64, or infinite; with a teacher finite. With several groups, of each.
        groups: their number; several, with random labels, have up to 16 replicas in all. Both may be traced then.

    Raises:
        ValueError: another number of replicas or of groups; otherwise as for `robust_alpha_u`.
        TypeError: as for `robust_alpha_u`.
    """
    if not is_traced(groups) and groups is not True and groups == 1:
        return _of_ensemble(ensemble_touching_zero, TOUCHING, model, replicas)
    check_margin(model)
    functional = as_float64(UltrametricEnsemble(model, groups, replicas))
    return between_groups(functional, least_load(functional))


def _of_ensemble(system: System, event: Event, model: Model, replicas: float | _Scalar) -> Threshold:
    check_margin(model)
    functional = as_float64(RobustEnsemble(model, replicas))
    if not functional.infinite:
        alone = "one replica is a typical solution by itself: give more, or ask for the capacity"
        require("replicas", replicas, lambda y: y > 1, alone)
    return between_replicas(functional, critical_point(system, partial(start_in_loads, event), (functional,)))
