"""A weight of a group of replicas and of their common centre: its fields, and the overlaps that follow.

The field that all groups share is along ``z``, the rest of the centre's frozen field along ``z'``, and ``u`` is what the
replicas of a group share beyond.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.checks import is_traced
from fmjax.models import Model
from fmjax.quadrature import Layered, offset, twins
from fmjax.replica import blocks
from fmjax.replica.clusters import FAINT
from fmjax.replica.functional import Average
from fmjax.special import log_2cosh

__all__ = [
    "FREE",
    "SOLUTION",
    "CentreFields",
    "CentreSite",
    "CentredEnsembleOrder",
    "GroupOverlaps",
    "margin_of_centre",
    "refuse_jumps",
]

_Scalar = Float[Array, ""]
FREE, SOLUTION = "free", "solution"  # centres


def margin_of_centre(model: Model, centre: str, margin: Any) -> Any:
    """The margin of a centre that is a solution, None of a free one; `ValueError` for what is not implemented."""
    if model.teacher:
        raise ValueError("replicas of a teacher's students around a centre are not implemented: use random labels")
    if not isinstance(centre, str) or centre not in (FREE, SOLUTION):
        raise ValueError(f'centre must be "{FREE}" or "{SOLUTION}", not {centre!r}')
    if centre == FREE:
        if margin is not None:
            raise ValueError(f'a free centre has no margin: use centre="{SOLUTION}", or leave centre_margin out')
        return None
    if model.constraint.even:
        raise ValueError("centres that are solutions themselves are not implemented for even constraints: use a free one")
    return model.margin if margin is None else margin


def refuse_jumps(model: Model) -> None:
    """`ValueError` for units of which infinitely many replicas around a solution have no limit."""
    if not is_traced(steepness := model.architecture.steepness()) and np.isinf(steepness):
        raise ValueError("infinitely many replicas of units that jump have no limit around a solution: try 64")


class CentreFields(eqx.Module):
    """Fields of a weight: ``amplitude z + spread u + pull s`` of a replica, and of its centre ``s``.

    That is ``along z + sqrt(beside) z'``, and ``stretch = y spread²``. A centre that need not solve anything has no field
    of its own.
    """

    amplitude: _Scalar
    stretch: _Scalar
    pull: _Scalar
    along: _Scalar
    beside: _Scalar


class CentreSite(eqx.Module):
    """A weight of a group in frozen fields: means over the replicas and over the centre.

    ``potential``: free entropy per replica; ``mean``: of the weight; ``scatter``: y times its variance within a group;
    ``bend``: mean of ``1 - w²`` of one replica; ``away``: of ``1 - s w``; ``energy``: of the free entropy of one replica;
    ``centre``: mean of ``s``, and ``variance`` its variance; ``turning``: half of what the mean weight changes with ``s``;
    ``within``: y times the variance of a group's mean weight beside the same ``s``.
    """

    potential: Float[Array, "*fields"]
    mean: Float[Array, "*fields"]
    scatter: Float[Array, "*fields"]
    bend: Float[Array, "*fields"]
    away: Float[Array, "*fields"]
    energy: Float[Array, "*fields"]
    centre: Float[Array, "*fields"]
    variance: Float[Array, "*fields"]
    turning: Float[Array, "*fields"]
    within: Float[Array, "*fields"]

    @staticmethod
    def of(
        at: CentreFields, y: _Scalar, nodes: tuple[int, ...], own: int | None, tilt: _Scalar | float
    ) -> tuple[CentreSite, Average]:
        """By ``nodes`` in ``z`` and in ``u``, and ``own`` in ``z'`` unless the centre has no field of its own."""
        signs = jnp.array([1.0, -1.0])
        # Where the centre turns with the field, and the replicas against either of its signs.
        offsets = y * jnp.stack([jnp.zeros_like(at.pull), at.pull, -at.pull])
        z, probability = Layered(nodes[0])(jnp.broadcast_to(y * at.amplitude, (3,)), offsets)
        spread = jnp.sqrt((at.stretch + FAINT) / y)

        def beside(sign: _Scalar) -> blocks.Block:
            field = at.amplitude * z + sign * at.pull
            rule = blocks.weight_rule(field, spread, y, nodes[1], offset(z.size))
            return blocks.block(log_2cosh, field, spread, y, rule)

        found = jax.tree.map(lambda leaf: leaf[..., None], jax.vmap(beside)(signs))
        field, probability = at.along * z[:, None], probability[:, None]
        if own is not None:
            steep, centre = jnp.sqrt(at.beside + FAINT), field + 0.5 * y * (found.potential[0] - found.potential[1])
            rest, weight = Layered(own)(jnp.full((1, z.size), steep), centre.T, start=offset(z.size))
            field, probability = field + steep * rest, probability * weight
        exponent = signs[:, None, None] * field + y * found.potential
        total = jax.nn.logsumexp(exponent, axis=0)
        chance = jnp.exp(exponent - total)

        def mean(values: Float[Array, "2 z 1"]) -> Float[Array, "z c"]:
            return jnp.sum(chance * values, axis=0)

        variance, turning = 4.0 * chance[0] * chance[1], 0.5 * (found.slope[0] - found.slope[1])
        within = mean(found.scatter)
        site = CentreSite(
            potential=total / y,
            mean=mean(found.slope),
            scatter=within + y * variance * turning**2,
            bend=mean(found.bend),
            away=mean(1.0 - signs[:, None, None] * found.slope),
            energy=mean(found.energy),
            centre=chance[0] - chance[1],
            variance=variance,
            turning=turning + jnp.zeros_like(within),
            within=within,
        )
        return site, Average(probability, twins(z.size)[:, None], tilt)


class GroupOverlaps(eqx.Module):
    """Overlaps of a group and its centre, and what does not cancel of them.

    ``gap = 1 - q1`` and ``stretch = y (q1 - q0)`` of the replicas; ``p_gap = 1 - p`` of one of them and the centre;
    ``centre`` of two centres, and ``centre_gap`` one minus that; ``t`` of a centre and a replica of another, and
    ``together = p - t``; ``frozen = centre - t²/q0``: of the centre's mean weight, what that of its replicas does not
    explain; ``free = centre_gap - (p - t)²/(q1 - q0)``: the same of what is not frozen. Of infinitely many replicas
    ``centre_gap``, ``together`` and ``free`` are multiplied with ``y``.
    """

    gap: _Scalar
    stretch: _Scalar
    q0: _Scalar
    p_gap: _Scalar
    centre: _Scalar
    centre_gap: _Scalar
    t: _Scalar
    together: _Scalar
    frozen: _Scalar
    free: _Scalar

    @staticmethod
    def of_order(gap: _Scalar, stretch: _Scalar, p: _Scalar, centre: _Scalar, t: _Scalar, y: _Scalar) -> GroupOverlaps:
        """From order parameters, by subtraction."""
        together, q0 = p - t, 1.0 - gap - stretch / y
        free = 1.0 - centre - together**2 / (stretch / y + FAINT)
        return GroupOverlaps(gap, stretch, q0, 1.0 - p, centre, 1.0 - centre, t, together, centre - t**2 / q0, free)

    @staticmethod
    def of_site(site: CentreSite, over: Average, y: _Scalar) -> GroupOverlaps:
        """As correlations."""
        values = (site.bend, site.scatter, site.mean**2, site.away, site.centre**2, site.variance, site.centre * site.mean)
        gap, stretch, q0, p_gap, centre, centre_gap, t, together = over(*values, site.variance * site.turning)
        apart = stretch / y + FAINT
        along, follows = t / q0, together / apart
        left = site.variance * (1.0 - follows * site.turning) ** 2 + follows**2 * (site.within / y + FAINT)
        frozen, free = over((site.centre - along * site.mean) ** 2, left)
        return GroupOverlaps(gap, stretch, q0, p_gap, centre, centre_gap, 1.0 - p_gap - together, together, frozen, free)

    @staticmethod
    def in_the_limit(
        gap: _Scalar, stretch: _Scalar, q0: _Scalar, p_gap: _Scalar, centre_gap: _Scalar, together: _Scalar, free: _Scalar
    ) -> GroupOverlaps:
        """Of infinitely many replicas, whose centre is the same wherever it is looked for."""
        p, one = 1.0 - p_gap, jnp.ones_like(p_gap)
        return GroupOverlaps(gap, stretch, q0, p_gap, one, centre_gap, p, together, 1.0 - p**2 / q0, free)


class CentredEnsembleOrder(eqx.Module):
    """Order parameters of replicas around a centre, and the entropies of both.

    ``q1``: overlap of two replicas around one centre; ``q0``: around two centres; ``p = 1 - 2d``: of a replica and its
    centre (given); ``q0_hat, p_hat``: conjugates; ``stretch = y (q1 - q0)``, ``stretch_hat = y (q1_hat - q0_hat)``.
    ``centre``: overlap of two centres; ``t``: of a centre and a replica of another one; ``centre_hat, t_hat``: conjugates,
    zero of a free centre; ``centre_stretch = y (1 - centre)``, ``t_stretch = y (p - t)``. Of infinitely many replicas around
    a solution these stay finite, and ``p_hat`` is ``p_hat - t_hat``, ``t_hat`` its ``y``-th part and ``centre_hat`` that of
    its ``y``-th part.
    ``replicas``: their number ``y``. ``local_entropy``: of the solutions around such a centre,
    ``S_I = dF/dy``; ``centre_entropy``: of the centres, ``S_E = F - y S_I``, negative where there are none, NaN for ``y`` =
    infinity: all in nats per weight.
    """

    q1: Float[Array, "*batch"]
    q0: Float[Array, "*batch"]
    p: Float[Array, "*batch"]
    q0_hat: Float[Array, "*batch"]
    p_hat: Float[Array, "*batch"]
    stretch: Float[Array, "*batch"]
    stretch_hat: Float[Array, "*batch"]
    centre: Float[Array, "*batch"]
    t: Float[Array, "*batch"]
    centre_hat: Float[Array, "*batch"]
    t_hat: Float[Array, "*batch"]
    centre_stretch: Float[Array, "*batch"]
    t_stretch: Float[Array, "*batch"]
    replicas: Float[Array, "*batch"]
    local_entropy: Float[Array, "*batch"]
    centre_entropy: Float[Array, "*batch"]

    @staticmethod
    def of(overlaps: GroupOverlaps, at: CentreFields, y: _Scalar, frozen: bool) -> CentredEnsembleOrder:
        """Of ``overlaps`` and fields ``at`` of ``y`` replicas, without entropies; ``frozen``: see `CentredEnsemble`."""
        t_hat, already = at.along * at.amplitude, 1.0 if frozen else y
        return CentredEnsembleOrder(
            q1=1.0 - overlaps.gap,
            q0=overlaps.q0,
            p=1.0 - overlaps.p_gap,
            q0_hat=at.amplitude**2,
            p_hat=at.pull + (0.0 if frozen else t_hat),
            stretch=overlaps.stretch,
            stretch_hat=at.stretch,
            centre=overlaps.centre,
            t=overlaps.t,
            centre_hat=at.along**2 + at.beside,
            t_hat=t_hat,
            centre_stretch=already * overlaps.centre_gap,
            t_stretch=already * overlaps.together,
            replicas=y,
            local_entropy=jnp.zeros_like(y),
            centre_entropy=jnp.full_like(y, jnp.nan),
        )

    def interaction(self, overlaps: GroupOverlaps, y: _Scalar, frozen: bool) -> tuple[_Scalar, _Scalar, _Scalar]:
        """What these and the ``overlaps`` of ``y`` replicas cost: each of them, twice their groups, a share of the centre.

        That share is a ``y``-th unless the centre is ``frozen``.
        """
        pull = self.p_hat - (0.0 if frozen else self.t_hat)
        pulls = (1.0 - overlaps.p_gap) * pull + overlaps.together * self.t_hat
        single = 0.5 * (self.q0_hat + self.stretch_hat / y) * overlaps.gap + pulls
        groups = (1.0 - overlaps.gap) * self.stretch_hat + self.q0_hat * overlaps.stretch
        return single, groups, 0.5 * self.centre_hat * overlaps.centre_gap / (1.0 if frozen else y)
