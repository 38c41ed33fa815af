"""Entropy of several solutions around a common centre: how many there can be at a distance from the best of all weights."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from fmjax.models import Model
from fmjax.quadrature import Layered, offset, twins
from fmjax.replica import blocks
from fmjax.replica.clusters import FAINT, Clusters
from fmjax.replica.equilibrium import Equilibrium, EquilibriumOrder
from fmjax.replica.functional import Average, Functional, Saddle
from fmjax.replica.robust_ensemble import RobustEnsemble, RobustEnsembleControls
from fmjax.special import log_2cosh

__all__ = ["TYPICAL", "CentredEnsemble", "CentredEnsembleOrder"]

_Scalar = Float[Array, ""]
TYPICAL = "typical"  # as many replicas as leave no entropy of centres
_BEGINS = 64.0  # replicas with which a curve of typical centres begins: from loads of 0.35 on there are some that have them
_CROWD = 256.0  # replicas up to which entropies per replica agree with twice the nodes to 1e-5 and better


class CentredEnsembleOrder(eqx.Module):
    """Order parameters of replicas around a centre, and the entropies of both.

    ``q1``: overlap of two replicas around one centre; ``q0``: around two centres; ``p = 1 - 2d``: of a replica and its
    centre (given); ``q0_hat, p_hat``: conjugates; ``stretch = y (q1 - q0)``, ``stretch_hat = y (q1_hat - q0_hat)``.
    ``replicas``: their number ``y``. ``local_entropy``: of the solutions around such a centre, ``S_I = dF/dy``;
    ``centre_entropy``: of the centres, ``S_E = F - y S_I``, negative where there are none, NaN for ``y`` = infinity: all in
    nats per weight.
    """

    q1: Float[Array, "*batch"]
    q0: Float[Array, "*batch"]
    p: Float[Array, "*batch"]
    q0_hat: Float[Array, "*batch"]
    p_hat: Float[Array, "*batch"]
    stretch: Float[Array, "*batch"]
    stretch_hat: Float[Array, "*batch"]
    replicas: Float[Array, "*batch"]
    local_entropy: Float[Array, "*batch"]
    centre_entropy: Float[Array, "*batch"]


class _Site(eqx.Module):
    """A weight of a group in each of its fields: free entropy per replica, means over replicas and over the centre.

    ``slope``: of the weight; ``scatter``: y times its variance; ``bend``: of ``1 - w²`` of one replica; ``away``: of ``1 - w
    w~``; ``energy``: of the free entropy of one replica.
    """

    potential: Float[Array, " x"]
    slope: Float[Array, " x"]
    scatter: Float[Array, " x"]
    bend: Float[Array, " x"]
    away: Float[Array, " x"]
    energy: Float[Array, " x"]


class CentredEnsemble(Functional):
    r"""Local entropy of ``y`` solutions at distance ``d``, ``p = 1 - 2d``, from any weights ``w~`` (PRL 115, 128101).

    .. math::

        F &= \mathop{\mathrm{ext}} -\tfrac y2 \hat q_1 [1 + (y-1) q_1] + \tfrac{y^2}2 q_0 \hat q_0 - y p \hat p + G_S
        + \alpha G_E, \\
        G_S &= \int\! Dx \ln \sum_{s = \pm1} \int\! Du\, [2\cosh(\sqrt{\hat q_0}\, x + \sqrt{\hat q_1 - \hat q_0}\, u
        + \hat p s)]^y, \\
        G_E &= \int\! Dx \ln \int\! Du\, H^y\Big(\frac{\kappa - \sqrt{q_0}\, x - \sqrt{q_1 - q_0}\, u}{\sqrt{1-q_1}}\Big)

    in nats per weight, over ``q0, q0^, q1, q1^, p^``. The centre is binary and need not solve anything. ``F`` counts centres
    with ``y`` solutions each: centres are chosen with the ``y``-th power of the number of solutions around them, so that

    .. math:: S_I = \partial F / \partial y, \qquad S_E = F - y S_I, \qquad \partial F / \partial d = 2 y \hat p

    are the local entropy around a centre, the entropy of centres that have it, and the slope. The value is ``F / y``, per
    replica, with the slope ``2 p^``. The larger ``y``, the denser and rarer the regions; below ``S_E = 0`` there are none.
    So ``replicas="typical"`` chooses ``y`` where ``S_E = 0`` and ``F / y``, stationary in ``y``, is ``S_I``: the largest
    local entropy that exists. Of infinitely many replicas it is ``S_I`` as well, in the ansatz, whether or not such centres
    exist, with integrals over ``u`` that become maxima (see `RobustEnsemble`) and a centre that follows the field ``x``.

    ``y = 1`` is the binary entropy of ``d`` beside the entropy of typical solutions. At ``d = 1/2`` the centre says nothing
    and replicas are typical solutions; curves are followed from there, for infinitely many replicas from ``d = (1 -
    E|m|)/2``, the distance from the signs of the mean weights, and for typical ones from where 64 replicas leave no entropy
    of centres: there is such a place at loads from 0.35 on. At lower ones, and far from or close to a centre, ``S_E = 0``
    wants more than 256 replicas, beyond which integrals are not resolved: rows say so, and infinitely many are close.

    At margin 0 the curve of typical replicas is one piece up to a load between 0.765 and 0.77 (``d`` = 0.042, ``y`` = 15).
    Beyond, it folds, with two branches at some distances and, at 0.78, none at others: the dense regions fall apart. In
    print this is about 0.77. The slope of infinitely many vanishes where that without a centre does, at the load of
    `thresholds.robust_alpha_u`.

    The fields are ``sqrt(q0^)``, ``D^ = y (q1^ - q0^)`` and ``p^``, for typical ones also ``ln y``, and ``F`` is stationary
    where

    .. math:: q_0 = E\langle m\rangle^2, \quad q_1 = E\langle m^2\rangle, \quad p = E\langle \tilde w m\rangle, \quad
        \hat q_0 = \alpha E\langle f\rangle^2, \quad \hat q_1 = \alpha E\langle f^2\rangle

    with means ``<.>`` over the centre and the replicas of a group, of the mean weight ``m`` and the force ``f`` of one.

    Args:
        model: weights x architecture x constraint; the weights are binary.
        replicas: ``y``, from 1 to 64, infinite, or ``"typical"``.
        nodes: of the outer and of the inner integrals, as many as without a centre: see `RobustEnsemble`.

    Raises:
        ValueError: another number of replicas, a model with a teacher, or weights that are not binary; infinitely many with
            an even constraint.
        TypeError: clusters of replicas, which are a cluster already.

    Example:
        >>> import fmjax
        >>> dense = fmjax.CentredEnsemble(fmjax.Perceptron(), replicas="typical")
        >>> found = fmjax.curve(dense, alpha=0.6, distance=[0.05])
        >>> print(f"{found.order.replicas[0]:.5f} {found.entropy[0]:.9f}")
        14.67018 0.126245261
    """

    model: Model
    replicas: float | _Scalar | None
    nodes: tuple[int, int] = eqx.field(static=True)
    infinite: bool = eqx.field(static=True)

    control: ClassVar[str] = "distance"
    order: ClassVar[type[CentredEnsembleOrder]] = CentredEnsembleOrder

    def __init__(self, model: Model, replicas: Any, nodes: tuple[int, int] = (160, 192)):
        self.model, self.nodes = model, nodes
        typical = isinstance(replicas, str)
        if typical and replicas != TYPICAL:
            raise ValueError(f'replicas must be a number from 1 up to 64, inf or "{TYPICAL}", not {replicas!r}')
        # Refuses what makes no sense without a centre either.
        alone = RobustEnsemble(model, _BEGINS if typical else replicas)
        if model.teacher:
            raise ValueError("replicas of a teacher's students around a centre are not implemented: use random labels")
        self.replicas, self.infinite = None if typical else alone.replicas, alone.infinite

    @property
    def typical(self) -> bool:
        """Whether ``y`` is what leaves no entropy of centres."""
        return self.replicas is None

    def _many(self, found: _Scalar) -> _Scalar:
        """The number of replicas: the one given or, of typical ones, what was ``found``."""
        return found if self.replicas is None else jnp.asarray(self.replicas)

    def _ensemble(self, y: _Scalar) -> RobustEnsemble:
        """The same replicas without a centre: patterns know nothing of that."""
        return RobustEnsemble(self.model, math.inf if self.infinite else y, self.nodes)

    @property
    def reference(self) -> Equilibrium:
        """The functional of typical solutions, which replicas are where the centre says nothing."""
        return Equilibrium(self.model)

    @property
    def before(self) -> CentredEnsemble | None:
        """The ensemble on whose curve that of typical replicas begins; None for the others, which begin by themselves."""
        return CentredEnsemble(self.model, _BEGINS, self.nodes) if self.typical else None

    def farthest(self, typical: EquilibriumOrder) -> _Scalar:
        """A half: no curve reaches further."""
        return jnp.full_like(typical.gap, 0.5)

    def crowded(self, order: CentredEnsembleOrder) -> Bool[Array, " rows"]:
        """Where typical replicas are too many for the integrals over them."""
        return (order.replicas > _CROWD) & self.typical

    def controls(self, alpha: _Scalar, reference: EquilibriumOrder, tilt: _Scalar | float = 0.0) -> RobustEnsembleControls:
        """Those of `saddle`, whatever the ``reference``: the distance follows from the fields."""
        return RobustEnsembleControls(alpha, jnp.zeros(()), tilt)

    @property
    def positive(self) -> np.ndarray:
        """All but the pull to the centre and the logarithm of the number of replicas."""
        return np.array([True, True, False, *[False] * self.typical])

    @property
    def scale(self) -> np.ndarray:
        """That of the amplitude is small: it counts in the exponent of many replicas."""
        return np.array([1e-6, 1e-3, 1e-3, *[1.0] * self.typical])

    def start(self, reference: EquilibriumOrder, typical: EquilibriumOrder) -> Float[Array, " fields"]:
        """The fields of ``typical`` solutions, which the centre leaves alone; any ``reference`` will do."""
        nothing = jnp.zeros_like(typical.q_hat)
        return jnp.stack([jnp.sqrt(typical.q_hat), nothing, nothing])

    def saddle(
        self, fields: Float[Array, " fields"], controls: RobustEnsembleControls, clusters: Clusters | None = None
    ) -> Saddle:
        """What ``sqrt(q0_hat)``, ``D^``, ``p_hat``, and of typical replicas ``ln(y / 64)`` imply."""
        if clusters is not None:
            raise TypeError("a centred ensemble has no clusters of its own: its replicas are one")
        amplitude, stretch_hat, p_hat = fields[:3]
        y = self._many(_BEGINS * jnp.exp(fields[-1]))
        ensemble = self._ensemble(y)
        share = 1.0 / y  # zero for infinitely many
        site, over_site = self._site(amplitude, stretch_hat, p_hat, y, controls)
        means = over_site(site.bend, site.scatter, site.potential, site.slope**2, site.away, site.energy)
        gap, scatter, entropic, q0, away, site_energy = means
        stretch = scatter + ensemble.cusp(site.slope, amplitude)
        pattern, over, _, slopes = ensemble.pattern(gap, stretch, q0, jnp.zeros_like(q0), controls)
        common, single, energetic, pattern_energy = over(
            pattern.slope**2, pattern.scatter, pattern.potential, pattern.energy
        )
        q1, p, q0_hat = 1.0 - gap, 1.0 - away, amplitude**2
        alone = 0.5 * (q0_hat + share * stretch_hat) * gap + p * p_hat
        groups = q1 * stretch_hat + q0_hat * stretch
        entropy = entropic + controls.alpha * energetic - alone - 0.5 * groups
        local_entropy, centre_entropy = entropy, jnp.full_like(entropy, jnp.nan)
        if not self.infinite:
            local_entropy = site_energy + controls.alpha * pattern_energy - alone - groups
            centre_entropy = y * (entropy - local_entropy)
        implied = controls.alpha * (slopes.rising * common + slopes.inside * single)
        residual = [amplitude - jnp.sqrt(controls.alpha * slopes.between * common), stretch_hat - implied]
        if self.typical:  # where there are centres to spare, those closer to their replicas are found
            residual.append(-centre_entropy)
        return Saddle(
            residual=jnp.stack(residual),
            position=jnp.log(away) - jnp.log(2.0 - away),
            value=entropy,
            slope=2.0 * p_hat,
            replicon=jnp.asarray(jnp.nan),
            order=CentredEnsembleOrder(
                *(q1, q0, p, q0_hat, p_hat, stretch, stretch_hat, y),
                local_entropy=local_entropy,
                centre_entropy=centre_entropy,
            ),
        )

    def __call__(self, order: CentredEnsembleOrder, controls: RobustEnsembleControls) -> _Scalar:
        """The free entropy per replica of any order parameters."""
        y, gap, p = self._many(order.replicas), 1.0 - order.q1, 1.0 - 2.0 * controls.distance
        share = 1.0 / y
        site, over_site = self._site(jnp.sqrt(order.q0_hat), order.stretch_hat, order.p_hat, y, controls)
        q0, none = order.q1 - share * order.stretch, jnp.zeros_like(gap)
        pattern, over, *_ = self._ensemble(y).pattern(gap, order.stretch, q0, none, controls)
        single = 0.5 * (order.q0_hat + share * order.stretch_hat) * gap + p * order.p_hat
        groups = 0.5 * (order.q1 * order.stretch_hat + order.q0_hat * order.stretch)
        (entropic,), (energetic,) = over_site(site.potential), over(pattern.potential)
        return entropic + controls.alpha * energetic - single - groups

    def _site(
        self, amplitude: _Scalar, stretch_hat: _Scalar, p_hat: _Scalar, y: _Scalar, controls: RobustEnsembleControls
    ) -> tuple[_Site, Average]:
        """A weight of a group in fields ``sqrt(q0_hat) x``, and in those of both signs of the centre's weight."""
        if self.infinite:  # of both signs that of the field, which is positive on the nodes
            found, over = self._ensemble(y).site(amplitude, p_hat, stretch_hat, controls)
            away = 1.0 - found.slope
            return _Site(found.potential, found.slope, found.scatter, found.bend, away, found.energy), over
        signs = jnp.array([1.0, -1.0])
        # Where the centre turns with the field, and the replicas against either of its signs.
        offsets = y * jnp.stack([jnp.zeros_like(p_hat), p_hat, -p_hat])
        x, probability = Layered(self.nodes[0])(jnp.broadcast_to(y * amplitude, (3,)), offsets)
        spread = jnp.sqrt((stretch_hat + FAINT) / y)

        def beside(sign: _Scalar) -> blocks.Block:
            field = amplitude * x + sign * p_hat
            rule = blocks.weight_rule(field, spread, y, self.nodes[1], offset(x.size))
            return blocks.block(log_2cosh, field, spread, y, rule)

        found = jax.vmap(beside)(signs)
        total = jax.nn.logsumexp(y * found.potential, axis=0)
        chance, sign = jnp.exp(y * found.potential - total), signs[:, None]

        def mean(values: Float[Array, "2 x"]) -> Float[Array, " x"]:
            return jnp.sum(chance * values, axis=0)

        slope = mean(found.slope)
        scatter = mean(found.scatter + y * (found.slope - slope) ** 2)
        away = mean(1.0 - sign * found.slope)
        site = _Site(total / y, slope, scatter, mean(found.bend), away, mean(found.energy))
        return site, Average(probability, twins(x.size), controls.tilt)

    def resized(self, factor: float) -> CentredEnsemble:
        """``factor`` times as many nodes in every dimension."""
        outer, inner = (int(factor * size) for size in self.nodes)
        return CentredEnsemble(self.model, TYPICAL if self.replicas is None else self.replicas, (outer, inner))
