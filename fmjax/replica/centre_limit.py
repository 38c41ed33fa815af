r"""Infinitely many replicas around a centre: integrals over what they share become maxima.

A centre that is a solution freezes as ``y -> inf``: ``1 - q~ = X/y`` and ``p - t = T/y``, while its fields grow, ``t^ = y
a sqrt(q0^)`` and ``q~^ = y² (a² + b)``. With ``D = y (q1 - q0)``, ``D^ = y (q1^ - q0^)``, ``g = p^ - t^``, and maxima

    m(h) = max_v [-v²/2 + ln 2cosh(h + sqrt(D^) v)],        f(h, l) = max_w [-w²/2 + ln H(k - h - sqrt(D) w) - l_+²/2]

``F / y = S_I`` is, stationary in ``q1, q0^, D, D^, X, T, a, b, g``,

    S_I = -[q0^ (1-q1) + q1 D^ + q0^ D]/2 - p g - T a sqrt(q0^) - (a² + b) X/2
        + E max_s [s (a z + sqrt(b) z') + m(sqrt(q0^) z + g s)] + alpha E f(sqrt(q1) z, l)
    l = [kt - p/sqrt(q1) z - sqrt(1 - p²/q1) z' - T/sqrt(D) w] / sqrt(X - T²/D)

with margins ``k`` and fields ``h`` in units of ``sqrt(1-q1)``, and ``kt``. With the covariance ``C/y`` of the forces on the
centre and on a replica in a group, ``dS_I/dd = 2 (g - alpha E C)``; kernels of committees enter as they do everywhere.

A weight of the centre is the sign that is worth more. A pattern is held by its replicas alone, or by its centre as well, and
where the latter begins is known: beyond, along ``z'``, it is integrated in closed form, and nodes up to there move with it.

The entropy of such centres is minus infinity, ``S_E ~ -(alpha/2) P ln y`` with the share ``P`` of patterns that hold their
centre: there are none, and ``S_I`` bounds what typical replicas have, in the ansatz. Next to a centre, where it solves by
itself what its replicas solve, ``P`` is exponentially small and ``S_I`` that of a free one.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.models import Architecture, Constraint
from fmjax.quadrature import Layered, log_normal_density, offset, twins
from fmjax.replica import blocks
from fmjax.replica.centre_pattern import Implied
from fmjax.replica.centre_site import CentreFields, CentreSite, GroupOverlaps
from fmjax.replica.clusters import FAINT
from fmjax.replica.functional import Average, Kernels
from fmjax.replica.robust_ensemble import RobustEnsemble, RobustEnsembleControls
from fmjax.special import log_H

__all__ = ["free_site_in_the_limit", "pattern_in_the_limit", "site_in_the_limit"]

_Scalar = Float[Array, ""]
_STEP = 1e13  # slope of a layer at a step or a cusp
_REACH = 9.0  # deviations
_FAINTEST = 3e-6  # least field of a centre's own, relative to that of replicas: less changes 1e-12, and digits of nodes end
_NEAR = 1e-5  # a field in which a slope is constant to the last digits of a difference


def free_site_in_the_limit(
    ensemble: RobustEnsemble, at: CentreFields, controls: RobustEnsembleControls
) -> tuple[GroupOverlaps, _Scalar, _Scalar]:
    """Overlaps and free entropies of a weight whose centre is free: its sign is that of the field of all groups.

    That of the replicas of an ``ensemble`` without a centre is positive on the nodes.
    """
    found, over = ensemble.site(at.amplitude, at.pull, at.stretch, controls)
    follows, none = jnp.ones_like(found.slope), jnp.zeros_like(found.slope)
    block = (found.potential, found.slope, found.scatter, found.bend, 1.0 - found.slope, found.energy)
    site = CentreSite(*block, centre=follows, variance=none, turning=none, within=found.scatter)
    overlaps = GroupOverlaps.of_site(site, over, jnp.asarray(ensemble.replicas))
    cusp = ensemble.cusp(found.slope, at.amplitude)
    return eqx.tree_at(lambda o: o.stretch, overlaps, overlaps.stretch + cusp), *over(site.potential, site.energy)


def site_in_the_limit(at: CentreFields, nodes: int, tilt: _Scalar | float) -> tuple[GroupOverlaps, _Scalar]:
    """Overlaps and free entropy of a weight whose centre is up: both signs are each other's images.

    It is up where ``along z + A + sqrt(beside) z' > 0``, with half the difference ``A`` between both signs of the potential.
    Where the field ``amplitude z + pull`` of its replicas vanishes all of them turn together, if ``D^ > 1``: nodes are close
    on both sides. That this place moves with the fields is left out of derivatives, as hardly a centre is up there.
    """
    g, own = at.pull / at.amplitude, jnp.sqrt(jnp.maximum(at.beside, (_FAINTEST * at.amplitude) ** 2))
    # The layer at zero first, beside which nodes have all their digits.
    steep = jnp.stack([(at.along + at.amplitude) / own, jnp.asarray(_STEP), jnp.asarray(math.sqrt(_STEP))])
    z, spacing = Layered(nodes).spaced(steep, steep * jnp.stack([jnp.zeros_like(g), g, -g]), -_REACH, _REACH)
    off, over = at.amplitude * z, Average(2.0 * spacing * jnp.exp(log_normal_density(z)), twins(z.size), tilt)
    # In the fields of both signs, and, last, in none, in the pull alone, and in twice of it.
    fields = jnp.concatenate([at.pull + off, at.pull - off, at.pull * np.arange(3.0)])
    found = blocks.largest_weight(jnp.abs(fields), jnp.sqrt(at.stretch + FAINT))
    (mean, other), (none, middle, _) = jnp.split(jnp.sign(fields[:-3]) * found.slope[:-3], 2), found.slope[-3:]
    up, down = jnp.split(found.potential[:-3], 2)
    # Next to z = 0 a difference has no digits, and the slope is enough.
    apart = jnp.where(jnp.abs(off) < _NEAR, off * jnp.sign(at.pull) * middle, 0.5 * (up - down))
    worth = (at.along * z + apart) / own
    chance, turning = jnp.exp(log_H(-worth)), jnp.exp(log_normal_density(worth)) / own
    values = (found.bend[: z.size], mean**2, 1.0 - mean, found.scatter[: z.size], up + at.along * z)
    gap, q0, p_gap, inside, potential = over(*(chance * value for value in values))
    # What scatters where all replicas turn together while the centre is up.
    worst = (at.along * g + 0.5 * (found.potential[-1] - found.potential[-3])) / own
    inside += 4.0 * none / at.amplitude * jnp.exp(log_normal_density(g) + log_H(worst))
    half = 0.5 * (mean + other)
    centre_gap, together, between = over(turning, turning * mean, turning * half**2)
    stretch = inside + between
    follows = together / stretch
    (left,) = over(turning * (1.0 - follows * half) ** 2)
    free = left + follows**2 * inside
    overlaps = GroupOverlaps.in_the_limit(gap, stretch, q0, p_gap, centre_gap, together, free)
    return overlaps, potential + at.beside * centre_gap


def pattern_in_the_limit(
    overlaps: GroupOverlaps,
    controls: RobustEnsembleControls,
    architecture: Architecture,
    constraint: Constraint,
    centre: Constraint,
    nodes: tuple[int, ...],
) -> Implied:
    """What patterns imply, by ``nodes`` in ``z`` and ``z'``, for constraints on replicas and on the ``centre``.

    Replicas are at ``scale z + rise w``, the centre at ``along z + beside z' + follows w``; ``w`` is where ``-w²/2 + ln H``
    is largest, minus ``l²/2`` if the centre lacks ``l`` standard deviations of what is free of it: a parabola more.
    """
    at, alpha = overlaps, controls.alpha
    close = Kernels.beside_one(architecture, at.gap, at.p_gap)
    far = Kernels.of(architecture, at.q0, 1.0 - at.p_gap)
    (gap, _), (inside, held), (bend, held_bend) = close.value, close.slope, close.bend
    (q0, t), own_slope = far.value, jnp.asarray(architecture.steepness())
    rise, together = inside * at.stretch, held * at.together
    free = own_slope * at.centre_gap - together**2 / (rise + FAINT)
    frozen = at.frozen + (at.t**2 / at.q0 - t**2 / q0)
    free, frozen = (jnp.where(left > 0.0, left, 0.0) + FAINT for left in (free, frozen))
    width, scale, spread, beside = jnp.sqrt(gap), jnp.sqrt(q0), jnp.sqrt(rise + FAINT), jnp.sqrt(frozen)
    along, follows = t / scale, together / spread
    edge, own_edge = constraint.edges()[0], centre.edges()[0]

    deep = jnp.sqrt(4.0 + 2.0 * jnp.log1p(rise / gap))  # where maxima are singular, see `RobustEnsemble.pattern`
    sharp = deep / 1.7
    steep = jnp.stack([scale / width * sharp, along / beside])
    z, chance = Layered(nodes[0])(steep, jnp.stack([-(edge / width + deep) * sharp, -own_edge / beside]))
    field = scale * z

    alone = blocks.largest_pattern(constraint, field, spread, width)
    lacking = own_edge - along * z
    begins = (lacking - follows * spread * alone.slope) / beside
    # Nodes below, which move with that place: forces have a kink there, and what they scatter a step.
    moved = follows / (free + follows**2)
    pulls = spread * moved * beside / width * sharp
    end = jnp.clip(begins, -_REACH, _REACH)
    layers = jnp.stack([jnp.broadcast_to(-pulls, z.shape), jnp.full_like(z, _STEP)])
    places = jnp.stack([((field + spread * moved * lacking - edge) / width - deep) * sharp, -_STEP * begins])
    rest, spacing = Layered(nodes[1]).spaced(layers, places, -_REACH - 1.0, end, offset(z.size))
    rest = rest + (begins - jax.lax.stop_gradient(begins))[:, None]
    weight = jnp.where(begins[:, None] > -_REACH, spacing * jnp.exp(log_normal_density(rest)), 0.0)

    lacks, share = lacking[:, None] - beside * rest, 1.0 / (1.0 + follows**2 / free)
    both = blocks.largest_pattern(constraint, field[:, None] + spread * moved * lacks, spread * jnp.sqrt(share), width)
    pushed = (lacks - follows * (moved * lacks + share * spread * both.slope)) / free
    joint = -follows / free * share * spread * both.bend / (1.0 - share * spread**2 * both.bend)
    potential = both.potential - 0.5 * lacks**2 / (free + follows**2)

    def with_alone(by_both, by_one):
        return jnp.concatenate([by_both, by_one[:, None]], axis=1)

    none = jnp.zeros_like(z)
    over = Average(chance[:, None] * with_alone(weight, jnp.exp(log_H(begins))), twins(z.size)[:, None], controls.tilt)
    slope, force = with_alone(both.slope, alone.slope), with_alone(pushed, none)
    common, single, product, moving, energy = over(
        slope**2,
        with_alone(both.scatter, alone.scatter),
        force * slope,
        with_alone(joint, none),
        with_alone(potential, alone.potential),
    )
    (left,) = over((force - product / common * slope) ** 2)
    between = far.slope[0]
    amplitude = jnp.sqrt(alpha * between * common)
    return Implied(
        amplitude,
        alpha * far.slope[1] * product / amplitude,
        alpha * (own_slope * left + (own_slope - far.slope[1] ** 2 / between) * product**2 / common),
        alpha * (bend * at.stretch * common + inside * single),
        alpha * (held_bend * at.together * product + held * moving),
        alpha * energy,
        alpha * energy,
    )
