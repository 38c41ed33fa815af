"""The tree committee: its overlap kernel, tabulated once for any activation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.checks import as_numbers
from fmjax.models.activation import ACTIVATIONS, REACH, Activation, spread
from fmjax.models.architecture import Architecture
from fmjax.precision import usual_arithmetic

__all__ = ["CommitteeArchitecture"]

_Scalar = Float[Array, ""]


class _Table(NamedTuple):
    """Where a kernel is tabulated: Chebyshev's nodes in pieces of the angle ``psi = arcsin(overlap)``.

    Both ends, where kernels have square roots, are at finite angles, and each kernel is as smooth in ``psi`` as its
    activation lets it. Pieces are narrow at the ends; one is centred at zero.

    Attributes:
        pieces: an odd number. Of units that jump off zero, the hardest of eight activations, 9 pieces were found to leave
            2e-9 of the kernel, 13 3e-11, and 17 3e-12.
        terms: of the polynomial in each of them. Of the same, 10 leave 7e-11 and 14 2e-13, but rounding grows with them: of
            all kernels, 1e-13 at 12, 1e-12 at 14 and 5e-12 at 16.
        closest: largest overlap, the last number below one: at one the angle has no derivative.
    """

    pieces: int = 17
    terms: int = 12
    closest: float = 1.0 - 2.0**-53

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends of the pieces, shape ``(pieces,)`` each."""
        edges = -0.5 * np.pi * np.cos(np.pi * np.arange(self.pieces + 1) / self.pieces)
        return edges[:-1], edges[1:]

    def inside(self, places: np.ndarray) -> np.ndarray:
        """Angles at ``places`` between -1 and 1 in every piece, shape ``(pieces, places)``."""
        low, high = self.ends
        return 0.5 * (low + high)[:, None] + 0.5 * (high - low)[:, None] * places

    @property
    def places(self) -> np.ndarray:
        """Nodes of a piece, shape ``(terms,)``."""
        return np.cos(np.pi * (np.arange(self.terms) + 0.5) / self.terms)

    @property
    def fit(self) -> np.ndarray:
        """The matrix from values at the nodes of a piece to the coefficients of powers of its coordinate."""
        values = np.polynomial.chebyshev.chebvander(self.places, self.terms - 1) * 2.0 / self.terms
        values[:, 0] *= 0.5
        polynomials = np.zeros((self.terms, self.terms))
        for degree, unit in enumerate(np.eye(self.terms)):
            row = np.polynomial.chebyshev.cheb2poly(unit)
            polynomials[: row.size, degree] = row
        return polynomials @ values.T


class _Trust(NamedTuple):
    """When a kernel is trusted, and how that is found out.

    Attributes:
        finer: nodes between two kinks, where the kernel is checked.
        places: in each piece where it is, away from the nodes.
        resolved: relative error of a kernel above which its activation is refused.
        smooth: a jump of the activation that is rounding.
        negligible: part of a kernel, or root of that of a variance, that is none.
        range: least, largest and number of arguments at which an activation must be finite.
    """

    finer: int = 96
    places: tuple[float, ...] = (-0.83, 0.21, 0.97)
    resolved: float = 1e-10
    smooth: float = 1e-9
    negligible: float = 1e-13
    range: tuple[float, float, int] = (-8.0, 8.0, 321)


_TABLE, _TRUST = _Table(), _Trust()


@jax.custom_jvp
def _polynomial(coefficients: Float[Array, " terms"], x: _Scalar) -> _Scalar:
    """``sum_k coefficients[k] x**k``; its derivatives are polynomials again, and programs of the same size."""
    return coefficients @ x ** np.arange(coefficients.size)


@_polynomial.defjvp
def _(primals, tangents):
    (coefficients, x), (moved, dx) = primals, tangents
    derivative = coefficients[1:] * np.arange(1.0, coefficients.size)
    return _polynomial(coefficients, x), _polynomial(derivative, x) * dx + _polynomial(moved, x)


def _interpolated(table: Float[Array, "pieces terms"], psi: _Scalar) -> _Scalar:
    place = jnp.arccos(jnp.clip(-2.0 / np.pi * jax.lax.stop_gradient(psi), -1.0, 1.0)) * (_TABLE.pieces / np.pi)
    piece = jnp.clip(jnp.nan_to_num(place).astype(int), 0, _TABLE.pieces - 1)
    low, high = (jnp.asarray(ends)[piece] for ends in _TABLE.ends)
    return _polynomial(table[piece], (2.0 * psi - low - high) / (high - low))


class _Kernel(eqx.Module):
    """``Q = psi L(psi)`` with ``L`` tabulated: exact to rounding relative to ``Q`` at small overlaps."""

    ratio: Float[Array, "pieces terms"]

    def __call__(self, psi: _Scalar) -> _Scalar:
        return psi * _interpolated(self.ratio, psi)


class _Complement(eqx.Module):
    """``1 - Q = s (jump + s B(psi))`` with ``s = 2 sin(a/2) = sqrt(2 gap)``, ``a = pi/2 - psi`` and ``B`` tabulated.

    Exact to rounding relative to ``1 - Q`` at small gaps, whether the kernel starts with a square root (an activation that
    jumps) or not (``jump = 0``).
    """

    jump: _Scalar
    bend: Float[Array, "pieces terms"]

    def __call__(self, angle: _Scalar) -> _Scalar:
        psi, s = 0.5 * np.pi - angle, 2.0 * jnp.sin(0.5 * angle)
        return s * (self.jump + s * _interpolated(self.bend, psi))


class CommitteeArchitecture(Architecture):
    r"""``K`` units on disjoint blocks of weights, ``Delta = K^{-1/2} sum_l c_l g(lambda_l)``, ``K -> oo`` with ``K/N -> 0``.

    Pre-activations of two networks at overlap ``q`` are Gaussian with covariance

        Q(q) = E[g(u) g(v)] - E[g]^2,      (u, v) standard normal with correlation q,

    (theory of Baldassi, Malatesta and Zecchina, 2019), ``c_l = 1`` for odd ``g`` and half ``+1``, half ``-1`` otherwise.

    The kernel is computed once, in closed form where the activation has one and by quadrature otherwise, and kept as
    piecewise polynomials in ``arcsin q``: evaluating it costs the same for every activation, every activation runs the
    same compiled programs, and derivatives with respect to its parameters pass through the coefficients. Kernel and
    complement are exact to about 1e-12, relatively, for overlaps and gaps down to 1e-12.

    ``Q`` rises from ``Q(0) = 0`` to ``Q(1)``. At negative overlaps it may turn for activations that are not odd.

    Attributes:
        power: ``Q(1)``, the variance of ``Delta``.
    """

    # Where an overlap crosses into another piece slopes move by up to 4e-13, whatever the nodes of the integrals, and by
    # 8e-14 for a linear activation, whose untabulated kernel, the perceptron's, moves none.
    accuracy: ClassVar[float] = 1e-12

    power: Float[Array, ""]
    _kernel: _Kernel
    _complement: _Complement

    def variance(self) -> Float[Array, ""]:
        """``Q(1)``."""
        return self.power

    def kernel(self, overlap: _Scalar) -> _Scalar:
        """``Q(q) / Q(1)``."""
        return self._kernel(jnp.arcsin(jnp.clip(overlap, -_TABLE.closest, _TABLE.closest)))

    def complement(self, gap: _Scalar) -> _Scalar:
        """``1 - Q(1 - gap) / Q(1)``."""
        return self._complement(2.0 * jnp.arcsin(jnp.sqrt(jnp.minimum(0.5 * gap, _TABLE.closest))))

    def steepness(self) -> _Scalar:
        """Infinite where the activation jumps."""
        return jnp.where(
            self._complement.jump > _TRUST.smooth,
            jnp.inf,
            2.0 * _interpolated(self._complement.bend, jnp.asarray(0.5 * np.pi)),
        )

    @staticmethod
    def of(activation: Any, kinks: tuple[float, ...] = (0.0,)) -> CommitteeArchitecture:
        """The architecture with hidden units ``activation``, cut at its ``kinks``; arguments as in `TreeCommittee`.

        Raises:
            ValueError: the activation has no kernel, or one that was not resolved.
        """
        with usual_arithmetic():  # a kernel in float32 would be refused, for reasons that are not the activation's
            function, kinks = _checked(activation, kinks)
            architecture = _tabulate(function, kinks)
            _check(architecture, function, kinks)
        return architecture


def _exact(activation: Callable, kinks: tuple[float, ...], angle: Float[Array, " n"], **options: Any) -> Float[Array, " n"]:
    """``Q(1) - Q(cos angle)`` by the best means there are."""
    if isinstance(activation, Activation):
        return activation.spread(angle)
    return spread(activation, angle, kinks, **options)


@eqx.filter_jit
def _tabulate(activation: Callable, kinks: tuple[float, ...]) -> CommitteeArchitecture:
    nodes = _TABLE.inside(_TABLE.places)
    angles = 0.5 * np.pi - nodes
    values = _exact(activation, kinks, jnp.append(angles.ravel(), 0.5 * np.pi))
    power, complement = values[-1], values[:-1].reshape(nodes.shape) / values[-1]
    # A jump of g at b lies between u and v with probability s sqrt(2/pi) times the density at b.
    beside = np.where(np.asarray(kinks) == 0.0, 1e-30, 1e-13 * np.abs(kinks))
    sides = [jax.vmap(activation)(jnp.asarray(kinks + sign * beside)) for sign in (1.0, -1.0)]
    chance = np.exp(-0.5 * np.square(kinks)) / np.pi
    jump = 0.5 * jnp.sum(jnp.square(sides[0] - sides[1]) * chance) / power
    s = 2.0 * np.sin(0.5 * angles)
    ratio, bend = (1.0 - complement) / nodes, (complement / s - jump) / s
    return CommitteeArchitecture(power, _Kernel(ratio @ _TABLE.fit.T), _Complement(jump, bend @ _TABLE.fit.T))


def _checked(activation: Any, kinks: Any) -> tuple[Callable, tuple[float, ...]]:
    """The activation as a function and its kinks as numbers, if the one can be integrated between the others."""
    if isinstance(activation, str):
        activation = ACTIVATIONS.get(activation, activation)
    names = ", ".join(ACTIVATIONS)
    if not callable(activation):
        message = f"an activation is a function of one number or one of {names}, not {activation!r}: try jnp.tanh"
        raise ValueError(message)  # noqa: TRY004, as for everything that an activation may not be
    places = np.atleast_1d(as_numbers("kinks", kinks)).astype(float)
    if places.ndim != 1 or not np.isfinite(places).all():
        raise ValueError(f"kinks = {kinks!r} are not places of an activation: give finite numbers, like kinks=(-1.0, 1.0)")
    try:
        answer = jax.eval_shape(activation, jax.ShapeDtypeStruct((), float))
    except TypeError as error:  # what JAX raises for what it cannot trace is one, too
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(
            "an activation is a function of one number that JAX can trace: write it with jnp.tanh and jnp.where instead of "
            f"math.tanh, np.tanh and if; tracing this one says: {reason}"
        ) from error
    if getattr(answer, "shape", None) != () or not jnp.issubdtype(answer.dtype, jnp.floating):
        raise ValueError(f"an activation takes one number to one real number, this one to {answer}: try jnp.tanh")
    return activation, tuple(float(place) for place in np.unique(places))


def _check(architecture: CommitteeArchitecture, activation: Callable, kinks: tuple[float, ...]) -> None:
    """Refuse what has no kernel, or one that was not resolved; what is being traced passes."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(architecture)):
        return
    places = np.linspace(*_TRUST.range)
    values = np.asarray(jax.vmap(activation)(jnp.asarray(places)))
    if not np.isfinite(values).all():
        first = int(np.argmin(np.isfinite(values)))
        raise ValueError(f"the activation must be finite everywhere; at {places[first]:g} it is {values[first]:g}")
    power = float(architecture.power)
    if not np.isfinite(power):
        raise ValueError(f"the activation must have a finite variance on Gaussian inputs; it is {power:g}: try jnp.tanh")
    if power <= _TRUST.negligible**2 * np.max(np.square(values)):
        level = values[0] + 0.0  # not -0
        raise ValueError(f"the activation has zero variance, it is {level:g} everywhere: nothing can be learned with it")
    ends = REACH * np.array([-np.sqrt(2.0), -1.0, 1.0, np.sqrt(2.0)])  # of the square over which the kernel is integrated
    left_out = np.square(np.asarray(jax.vmap(activation)(jnp.asarray(ends)))) * np.exp(-0.5 * ends**2)
    if not np.max(left_out) <= _TRUST.resolved * power:
        raise ValueError(
            f"the activation must have a finite variance on Gaussian inputs, and from {REACH:g} deviations of them at most; "
            "it grows faster: try jnp.tanh"
        )
    angles = np.append(_TABLE.inside(np.asarray(_TRUST.places)).ravel(), -0.5 * np.pi)
    finer = _finer(activation, kinks, jnp.asarray(0.5 * np.pi - angles))
    exact = np.asarray(finer / architecture.power)
    found = np.asarray(jax.vmap(architecture.complement)(2.0 * jnp.square(jnp.sin(0.25 * np.pi - 0.5 * angles))))
    if exact[-1] < _TRUST.negligible:
        raise ValueError(
            "the activation is even: its Q is even in the overlap and flat at zero, so that weights and their opposites "
            "solve the same patterns and typical solutions have no overlap; add an odd part to it"
        )
    error = np.max(np.abs(found / exact - 1.0)[:-1])
    if not error <= _TRUST.resolved:
        raise ValueError(
            f"the kernel of the activation has a relative error of {error:.0e}, more than {_TRUST.resolved:g}: name the "
            f"places where the activation or its slope jumps, beyond kinks={kinks}, or make it less steep"
        )


@eqx.filter_jit
def _finer(activation: Callable, kinks: tuple[float, ...], angles: Float[Array, " n"]) -> Float[Array, " n"]:
    return _exact(activation, kinks, angles, nodes=_TRUST.finer)
