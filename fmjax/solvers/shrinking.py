"""Where the solutions of continuous weights shrink to a point: the largest load, symmetric and with one step of breaking.

As ``q -> 1`` solutions are pressed against the edge of the allowed set, and only the distance from it matters.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from fmjax.compilation import Program
from fmjax.models import Model
from fmjax.quadrature import Layered, twins
from fmjax.replica.functional import Average
from fmjax.solvers.implicit import implicit
from fmjax.solvers.newton import Root, root_of
from fmjax.solvers.outcome import CONVERGED
from fmjax.special import derivatives, log_H

__all__ = ["breaking_volume", "log_load", "lowest_load", "shrinking_volume"]

_Scalar = Float[Array, ""]


class _Limit(NamedTuple):
    """How loads at which solutions shrink are computed, and where the lowest of them is looked for.

    Attributes:
        nodes: of the integral over what clusters have in common. 120 give the same load to 1e-13 for margins from -3 to 1,
            and so do 60; with 30 the lowest load was not found at -0.05.
        beside_one: ``1 - q`` where the bend of a kernel is taken: it may be infinite at 1.
        reach: deviations within which edges of the allowed set matter: within 6, loads lose 7e-7 at a margin of -3, within 8
            5e-13, and nothing from 10 on.
        barely: minus a replicon, below which the minimum is too shallow to be found. It is lower than the symmetric load by
            less than the third power of the replicon: 0.37 to 0.49 of it for margins of -0.1 to -0.01.
        gaps: least, largest and number: from nearly symmetric clusters to independent ones.
        ratios: the same: all that matter.
    """

    nodes: int = 240
    beside_one: float = 1e-6
    reach: float = 40.0
    barely: float = 2e-3
    gaps: tuple[float, float, int] = (1e-5, 0.999, 48)
    ratios: tuple[float, float, int] = (1e-2, 1e3, 40)


_LIMIT = _Limit()


class Volume(eqx.Module):
    """``alpha`` at which solutions shrink to a point, and the ``replicon`` there."""

    alpha: _Scalar
    replicon: _Scalar


def _symmetric(model: Model) -> Volume:
    """``q^ = q / (1-q)^2`` on the sphere, and ``f = distance / (1 - Q(q))``, of which ``f'`` is one where it is not zero."""
    low, high = model.unit_constraint.support()
    steepness = jnp.asarray(model.architecture.steepness())
    alpha = steepness / (_mean_square_excess(-low) + _mean_square_excess(high))
    bend = -jax.grad(jax.grad(model.architecture.complement))(jnp.asarray(_LIMIT.beside_one))
    outside = jnp.exp(log_H(-low)) + jnp.exp(log_H(high))
    return Volume(alpha, 1.0 - alpha * outside - bend / steepness)


def _mean_square_excess(x: _Scalar) -> _Scalar:
    """``∫_x^∞ Dz (z - x)^2``, from mean and variance of the excess given that there is one: those have closed forms."""
    slope, bend = derivatives(log_H, x)
    return jnp.exp(log_H(x)) * (1.0 + bend + (bend / slope) ** 2)


def shrinking_volume(model: Model) -> tuple[_Scalar, _Scalar, _Scalar]:
    """``alpha_c = Q'(1) / E[distance^2]`` (for a perceptron Gardner 1988), its error, and the replicon there.

    Infinite where the kernel is steep.
    """
    found = _symmetric(model)
    error = (model.architecture.accuracy + 1e-13) * found.alpha
    return found.alpha, *jax.lax.stop_gradient((error, found.replicon))


def log_load(model: Model, logs: Float[Array, " 2"], tilt: _Scalar) -> _Scalar:
    """``ln alpha`` where the volume of clusters at distance ``gap = 1 - q0`` vanishes, of ``(ln gap, ln ratio)``.

    ``ratio = m (1-q0) / (1-q1)`` stays finite as ``q1 -> 1``, and ``m`` vanishes.
    """
    gap, ratio = jnp.exp(logs)
    apart = model.architecture.complement(gap)
    common = jnp.sqrt(1.0 - apart)
    stiffness = ratio / (gap * model.architecture.steepness())
    stretched = 1.0 + stiffness * apart
    edges = jnp.clip(jnp.stack(model.unit_constraint.support()), -_LIMIT.reach, _LIMIT.reach)
    width = jnp.sqrt(apart)
    x, probability = Layered(_LIMIT.nodes)(jnp.broadcast_to(common / width, edges.shape), -edges / width)
    inside = model.unit_constraint.log_weight(common * x, width)
    excess = jnp.stack([edges[0] - common * x, common * x - edges[1]])
    pulled = -0.5 * (jnp.log(stretched) + stiffness * excess**2 / stretched) + log_H(-excess / (width * jnp.sqrt(stretched)))
    energy = Average(probability, twins(_LIMIT.nodes), tilt)(jax.nn.logsumexp(jnp.stack([inside, *pulled]), axis=0))[0]
    entropy = jnp.log1p(ratio) + (1.0 - gap) / gap * ratio / (1.0 + ratio)
    return jnp.log(entropy) - jnp.log(-2.0 * energy)


def _stationary(inputs: tuple[Model], logs: Float[Array, " 2"], tilt: _Scalar) -> tuple[Array, Array]:
    value, slopes = jax.value_and_grad(log_load, argnums=1)(*inputs, logs, tilt)
    return slopes, value[None]


@Program
def _search(model: Model) -> Root:
    """From the lowest load of a grid."""
    gaps, ratios = np.geomspace(*_LIMIT.gaps), np.geomspace(*_LIMIT.ratios)
    grid = jnp.stack(jnp.meshgrid(jnp.log(gaps), jnp.log(ratios), indexing="ij"), axis=-1).reshape(-1, 2)
    loads = jax.lax.map(lambda logs: log_load(model, logs, jnp.zeros(())), grid, batch_size=ratios.size)
    start = grid[jnp.argmin(jnp.where(jnp.isfinite(loads), loads, jnp.inf))]
    nothing_positive = np.zeros(2, bool)
    found = root_of(_stationary, (model,), start, numbers=1, positive=nothing_positive, floor=1.0, tolerance=1e-5)
    finite = jnp.where(found.status == CONVERGED, found.unknowns, start)  # derivatives of what is not taken stay finite
    return eqx.tree_at(lambda root: root.unknowns, found, finite)


lowest_load = implicit(_stationary, _search)


def breaking_volume(model: Model, root: Root) -> tuple[_Scalar, _Scalar, _Scalar, Int[Array, ""]]:
    """The largest load with one step of breaking, its error, the distance of clusters, and the status.

        alpha = min over (q0, r) of [ln(1 + r) + q0/(1-q0) r/(1+r)] / (-2 ∫Dx ln ∫Dy exp(-s D(x, y)^2 / 2))

    with ``s = r / ((1-q0) Q'(1))`` and the distance ``D`` of ``sqrt(Q(q0)) x + sqrt(1 - Q(q0)) y`` from the allowed set:
    the limit ``q1 -> 1``, ``m = r (1-q1)/(1-q0) -> 0`` of the one-step volume. Where replica symmetry is stable there is no
    minimum, and the symmetric load is its infimum, at ``q0 -> 1``. ``root`` is that of `lowest_load`.
    """
    symmetric, accuracy = _symmetric(model), model.architecture.accuracy + 1e-13
    barely = jnp.maximum(-symmetric.replicon, 0.0)
    broken = (barely > _LIMIT.barely) | ((barely > 0.0) & (root.status == CONVERGED))
    alpha = jnp.where(broken, jnp.exp(root.numbers[0]), symmetric.alpha)
    error = (accuracy + jnp.where(broken, root.number_errors[0], barely**3)) * alpha
    distance = jnp.where(broken, 0.5 * jnp.exp(root.unknowns[0]), 0.0)
    return alpha, jax.lax.stop_gradient(error), distance, jnp.where(broken, root.status, CONVERGED)
