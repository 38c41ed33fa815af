"""The front door of the solvers: precision, checks, compilation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.checks import as_array, is_traced
from fmjax.compilation import Program
from fmjax.models import refuse_loss
from fmjax.precision import usual_arithmetic
from fmjax.replica import (
    CentredEnsemble,
    Equilibrium,
    EquilibriumControls,
    FranzParisi,
    FranzParisiControls,
    Functional,
    OneStep,
    RobustEnsemble,
)
from fmjax.solvers.asking import is_concrete, one_number, require, require_constraint, require_margin
from fmjax.solvers.clusters import ClusterPoint
from fmjax.solvers.continuation import NO_SOLUTIONS, Curve, curve_of, position_of
from fmjax.solvers.one_step import ClusterSearch
from fmjax.solvers.outcome import REFERENCE_FAILED
from fmjax.solvers.saddle import SaddlePoint, equilibrium, typical_point, typical_root
from fmjax.solvers.zero_entropy import margin_of, search_margin

__all__ = ["as_float64", "check", "clusters", "curve", "followed", "in_float64", "solve"]

_Real = float | int | Float[Array, "..."] | np.ndarray
_Reals = Sequence[float | int] | Float[Array, "..."] | np.ndarray


def in_float64(function: Callable) -> Callable:
    """Run a function of the theory in float64 whatever the global settings, or say which line to add.

    Differences of overlaps of 1e-8 decide these numbers. Concrete arguments are computed in a float64 context; traced
    ones have been rounded already, so tracing with float64 off is an error.
    """

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        if not (jax.config.read("jax_enable_x64") or is_concrete(args, kwargs)):
            raise ValueError(
                "the theory needs float64 and is being traced in float32: "
                'add jax.config.update("jax_enable_x64", True) at the start of the program'
            )
        with usual_arithmetic():
            return function(*args, **kwargs)

    return wrapped


def as_float64(tree: Any) -> Any:
    """Every leaf as a float64 array: Python numbers become inputs of the compiled program, not part of it.

    What is not traced is converted by NumPy first, for which nothing is compiled.
    """

    def convert(leaf):
        traced = isinstance(leaf, jax.core.Tracer)
        return jnp.asarray(leaf, jnp.float64) if traced else jnp.asarray(np.asarray(leaf, np.float64))

    return jax.tree.map(convert, tree)


def check(functional: Any, kinds: tuple[type, ...], alpha: Any, distance: Any) -> None:
    """Refuse another functional, and what it cannot be evaluated at."""
    if not isinstance(functional, kinds):
        allowed = " or ".join(kind.__name__ for kind in kinds)
        given = f"the class {functional.__name__}" if isinstance(functional, type) else type(functional).__name__
        usual = f"fmjax.{kinds[0].__name__}(fmjax.Perceptron(), ...)"
        raise TypeError(f"expected a functional, {allowed}, and not {given}: try {usual}")
    one_number("alpha", alpha)
    require_constraint("", functional.model.constraint)
    require(
        "alpha", alpha, lambda a: a > 0, "the number of patterns per weight must be positive and finite, try alpha = 0.5"
    )
    if isinstance(functional, Equilibrium):
        if distance is not None:
            raise ValueError("typical solutions have no distance to choose: it is a result, point.distance")
        return
    if distance is None:
        raise ValueError(f"{type(functional).__name__} is a function of a distance: pass distance=...")
    if isinstance(functional, FranzParisi):
        require_constraint("reference ", functional.reference)
        allowed = "it is a Hamming distance per weight, between 0 and 1, ends excluded: slopes are infinite there"
        require("distance", distance, lambda d: (d > 0) & (d < 1), allowed)
    else:
        if isinstance(functional, CentredEnsemble) and functional.solving:
            one_number("centre margin", functional.centre_margin)
            require_margin("centre margin", functional.centre_margin, functional.model.constraint)
        allowed = "replicas lie at a distance between 0 and 0.5, ends excluded"
        require("distance", distance, lambda d: (d > 0) & (d < 0.5), allowed)


def _refuse_reference(functional: FranzParisi, alpha: Any) -> None:
    """A reference beyond ``kappa_max`` does not exist: its entropy is negative."""
    if not functional.model.weights.discrete or functional.reference.strength:
        return
    margin = functional.reference_margin
    typical, alpha = as_float64((functional.equilibrium, alpha))
    limit = float(margin_of(typical.model, search_margin(typical, alpha).unknowns[-1]))
    tightens = typical.model.constraint.tightens
    if tightens * (float(margin) - limit) > 0:
        beyond, extreme, easier = ("above", "largest", "smaller") if tightens > 0 else ("below", "smallest", "larger")
        raise ValueError(
            f"reference margin {float(margin):g} is {beyond} kappa_max = {limit:.6g}, the {extreme} margin "
            f"that has solutions at alpha = {float(alpha):g}: choose a {easier} one"
        )


_AtDistances = FranzParisi | RobustEnsemble | CentredEnsemble
_FEWEST = 8  # distances that a program is compiled for


@in_float64
def solve(functional: Functional, *, alpha: _Real, distance: _Real | None = None) -> SaddlePoint:
    """Stationary point of a free-entropy functional: ``d phi / d order = 0``, by Newton's method.

    Args:
        functional: `Equilibrium` (typical solutions) or `FranzParisi` (solutions around a reference).
        alpha: patterns per weight, positive.
        distance: Hamming distance per weight from the reference, in (0, 1) (local entropies only). The curve is followed
            to it from its maximum: many distances cost little more in one `curve`.

    Returns:
        A `SaddlePoint`: ``entropy`` in nats per weight, ``order``, ``error_estimate``, ``result``. Failure to converge is
        a ``result``, not an exception, and leaves NaN. Differentiable with respect to ``alpha``, ``distance`` and margins;
        use `jax.vmap` for batches.

    Raises:
        ValueError: alpha not positive, distance outside (0, 1), a reference margin beyond ``kappa_max(alpha)``, a
            margin of a `SymmetricMargin` that is not positive, arrays in place of numbers, or tracing with float64 off.
        TypeError: another functional.

    Example:
        >>> import fmjax
        >>> point = fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron(margin=0.0)), alpha=0.5)
        >>> print(f"{point.entropy:.8f} {point.order.q:.8f} {point.result}")
        0.31439007 0.32238536 converged
    """
    check(functional, (Equilibrium, FranzParisi), alpha, distance)
    if isinstance(functional, FranzParisi):
        one_number("distance", distance, several="curve")
        assert distance is not None
        return _along(functional, alpha, np.reshape(distance, 1) if is_concrete(distance) else jnp.reshape(distance, 1), 0)
    return equilibrium(*as_float64((functional, alpha)))


@in_float64
def curve(functional: _AtDistances, *, alpha: _Real, distance: _Real | _Reals) -> SaddlePoint:
    """Entropy at many distances: of solutions around one reference, or of replicas that lie at this distance.

    Args:
        functional: `FranzParisi`, followed from its maximum towards both ends, or `RobustEnsemble`, followed inwards from
            the distance of typical solutions, where it ends, or `CentredEnsemble`, followed inwards from 1/2.
        alpha: patterns per weight, positive.
        distance: Hamming distances per weight in (0, 1), shape ``(n,)``, in any order; of replicas, in (0, 0.5). Up to
            8, 16, 32, ... of them share a compiled program.

    Returns:
        A `SaddlePoint` whose arrays have shape ``(n,)``, in the order of ``distance``: ``entropy`` in nats per weight (and
        replica), ``slope`` its derivative. Rows beyond the end of the replica-symmetric branch say so in ``result``, and
        their numbers are NaN. Differentiable like that of `solve`; a row of NaN has derivatives of NaN, and reverse mode,
        which multiplies them with zero, hands them on to controls that rows share: take `jax.jacfwd` where rows may fail.

    Raises:
        ValueError: as for `solve`; distances that are not an array of one dimension.
        TypeError: another functional.
    """
    check(functional, (FranzParisi, RobustEnsemble, CentredEnsemble), alpha, distance)
    distance = _as_distances(distance)
    return _along(functional, alpha, distance, np.s_[: distance.shape[0]])


def followed(functional: _AtDistances, alpha: _Real, distance: Any) -> Curve:
    """A curve by a program that is compiled for the next power of two of distances, the last of which is repeated.

    A program takes seconds to compile and a row a fraction of a millisecond.
    """
    if isinstance(functional, FranzParisi) and is_concrete(functional, alpha) and not is_concrete(distance):
        with jax.ensure_compile_time_eval():  # what is constant in another program is checked while that is traced
            reference = equilibrium(*as_float64((functional.equilibrium, alpha)))
            if not bool(reference.converged) or float(reference.entropy) < NO_SOLUTIONS:
                _refuse_reference(functional, alpha)
    spare = max(_FEWEST, 1 << (distance.shape[0] - 1).bit_length()) - distance.shape[0]
    functional, alpha = as_float64((functional, alpha))
    if is_concrete(distance):
        distance = as_float64(np.pad(np.asarray(distance), (0, spare), mode="edge"))
    else:
        distance = jnp.pad(as_float64(distance), (0, spare), mode="edge")
    found = curve_of(functional, alpha, distance)
    local = isinstance(functional, FranzParisi)
    if local and is_concrete(found) and np.any(np.asarray(found.points.status) == REFERENCE_FAILED):
        _refuse_reference(functional, alpha)
    return found


def _along(functional: _AtDistances, alpha: _Real, distance: Any, rows: Any) -> SaddlePoint:
    """Some ``rows`` of a curve."""
    found = followed(functional, alpha, distance).points
    if not is_concrete(found):
        return jax.tree.map(lambda leaf: leaf[rows], found)
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[rows]), found)


def _as_distances(distance: Any) -> Float[Array, " n"] | np.ndarray:
    found = as_array("distance", distance)
    if found.ndim != 1 or not found.size:
        shape = found.shape
        raise ValueError(f"distance must be a one-dimensional array of one or more numbers, not of shape {shape}: try [0.1]")
    return found if is_traced(found) else np.asarray(found, np.float64)


@Program
def _typical_clusters(functional: Equilibrium, alpha: Array) -> ClusterPoint:
    root = typical_root(functional, alpha)
    point = typical_point(root, functional.model, alpha)
    return ClusterSearch()(OneStep(functional), point, root.unknowns, EquilibriumControls(alpha), None)


@Program
def _local_clusters(functional: FranzParisi, alpha: Array, curve: Curve) -> ClusterPoint:
    def at(row):
        point, fields = row
        controls = FranzParisiControls(alpha, point.distance, point.reference)
        return ClusterSearch()(OneStep(functional), point, fields, controls, position_of(point.distance))

    return jax.lax.map(at, (curve.points, curve.fields))


@in_float64
def clusters(functional: Functional, *, alpha: _Real, distance: _Real | _Reals | None = None) -> ClusterPoint:
    """One step of replica-symmetry breaking: how counted solutions are organised, and what that does to their entropy.

    Args:
        functional: `Equilibrium` or `FranzParisi`, of binary weights; the equations are those of `fmjax.replica.OneStep`.
        alpha: patterns per weight, positive.
        distance: Hamming distances per weight from the reference, in (0, 1), shape ``(n,)`` (local entropies only).

    Example:
        >>> import fmjax
        >>> point = fmjax.clusters(fmjax.Equilibrium(fmjax.Perceptron()), alpha=0.5)
        >>> print(f"{point.entropy:.6f} {point.complexity:.6f} {point.phase}")
        0.314390 0.314390 isolated solutions, replica symmetry is exact

    Returns:
        A `ClusterPoint`: ``phase``, ``entropy``, ``q0``, ``q1``, ``m``, ``complexity``, ``internal_entropy``, all solutions
        at ``m = 1`` in ``roots``, and the replica-symmetric answer in ``symmetric``. Entropies and complexities are in nats
        per weight. Without derivatives.

    Raises:
        ValueError: as for `curve`; weights that are not binary, and counted patterns with a loss.
        TypeError: another functional.
    """
    check(functional, (Equilibrium, FranzParisi), alpha, distance)
    refuse_loss("clusters", functional.model.constraint)
    if not isinstance(functional, FranzParisi):
        return _typical_clusters(*as_float64((functional, alpha)))
    distance = _as_distances(distance)
    # In a program of its own: who has drawn the curve has it compiled.
    symmetric = followed(functional, alpha, distance)
    points, fields = jax.tree.map(lambda leaf: leaf[: distance.shape[0]], (symmetric.points, symmetric.fields))
    return _local_clusters(*as_float64((functional, alpha)), Curve(points, fields, symmetric.typical))
