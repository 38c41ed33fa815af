"""Entropy of several solutions around a common centre: how many there can be at a distance from the best of all weights."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from fmjax.checks import refuse_another
from fmjax.models import Model
from fmjax.replica.centre_limit import free_site_in_the_limit, pattern_in_the_limit, site_in_the_limit
from fmjax.replica.centre_pattern import CentrePattern, Implied
from fmjax.replica.centre_site import (
    FREE,
    SOLUTION,
    CentredEnsembleOrder,
    CentreFields,
    CentreSite,
    GroupOverlaps,
    margin_of_centre,
    refuse_jumps,
)
from fmjax.replica.clusters import Clusters
from fmjax.replica.equilibrium import Equilibrium, EquilibriumOrder
from fmjax.replica.functional import Functional, Saddle, nodes_of
from fmjax.replica.robust_ensemble import RobustEnsemble, RobustEnsembleControls

__all__ = ["TYPICAL", "CentredEnsemble"]

_Scalar = Float[Array, ""]
TYPICAL = "typical"  # as many replicas as leave no entropy of centres
_BEGINS = 64.0  # replicas with which a curve of typical centres begins: from loads of 0.35 on there are some that have them
_NO_FIELD = 1e-6  # of a frozen centre: none, from which Newton finds its own, and which can still grow by factors
_CROWD = 256.0  # replicas up to which entropies per replica agree with twice the nodes to 1e-5 and better


class CentredEnsemble(Functional):
    r"""Local entropy of ``y`` solutions at distance ``d``, ``p = 1 - 2d``, from any weights ``w~`` (PRL 115, 128101).

    .. math::

        F &= \mathop{\mathrm{ext}} -\tfrac y2 \hat q_1 [1 + (y-1) q_1] + \tfrac{y^2}2 q_0 \hat q_0 - y p \hat p + G_S
        + \alpha G_E, \\
        G_S &= \int\! Dx \ln \sum_{s = \pm1} \int\! Du\, [2\cosh(\sqrt{\hat q_0}\, x + \sqrt{\hat q_1 - \hat q_0}\, u
        + \hat p s)]^y, \\
        G_E &= \int\! Dx \ln \int\! Du\, H^y\Big(\frac{\kappa - \sqrt{q_0}\, x - \sqrt{q_1 - q_0}\, u}{\sqrt{1-q_1}}\Big)

    in nats per weight, over ``q0, q0^, q1, q1^, p^``. The centre is binary and, if free, need not solve anything. ``F``
    counts centres with ``y`` solutions each: they are chosen with the ``y``-th power of the number of solutions around, so

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

    At margin 0 the curve of typical replicas is one piece up to a load of 0.766820576 (`thresholds.centred_alpha_u`); in
    print about 0.77. Beyond, dense regions are islands. From 0.766530134 on (`thresholds.centred_fold`) it turns back, and
    rows are those that are reached from large distances. The slope of infinitely many vanishes where that without a centre
    does, at the load of `thresholds.robust_alpha_u`.

    A centre that is a solution, of ``centre_margin`` ``kt``, is one replica more. With ``q~`` of two centres and ``t`` of a
    centre and a replica of another, ``F`` gains ``-q~^ (1 - q~)/2 + y t t^``, and with ``theta = (kt - sqrt(q~) x) /
    sqrt(1-q~)`` and ``r = (p-t) / sqrt((1-q~)(q1-q0))``

    .. math::

        G_S &= \int\! Dx\, Dx' \ln \sum_s e^{s \sqrt{\hat{\tilde q}}\, x} \int\! Du\, \Big[2\cosh\Big(
        \tfrac{\hat t}{\sqrt{\hat{\tilde q}}} x + \sqrt{\hat q_0 - \tfrac{\hat t^2}{\hat{\tilde q}}}\, x'
        + \sqrt{\hat q_1 - \hat q_0}\, u + (\hat p - \hat t) s\Big)\Big]^y, \\
        G_E &= \int\! Dx\, Dx' \ln \int\! Dw\, H\Big(\frac{\theta - r w}{\sqrt{1-r^2}}\Big) H^y\Big(\frac{\kappa
        - \tfrac{t}{\sqrt{\tilde q}} x - \sqrt{q_0 - \tfrac{t^2}{\tilde q}}\, x' - \sqrt{q_1 - q_0}\, w}{\sqrt{1-q_1}}\Big)

    with the slope ``2 (p^ - (alpha/y) dG_E/dp)``. Curves are followed both ways from where centre and replicas are typical
    solutions that know nothing of each other; one replica is a pair. The best solutions are nearly the best weights: at
    ``alpha`` = 0.6 they have 2.5e-6 nats less at ``d`` = 0.02 and 1.4e-4 at 0.09, those of margin 0.1 5e-5 and 5e-4. Of
    infinitely many replicas (`fmjax.replica.centre_limit`) curves are followed from those of a free centre.

    The fields are those of `RobustEnsemble`, of a centre that is a solution ``t^/sqrt(q0^)`` and ``q~^ - t^²/q0^`` (in units
    of ``y sqrt(q0^)`` and its square if it is frozen), then ``p^ - t^``, for typical replicas also ``ln y``; ``F`` is
    stationary where

    .. math:: q_0 = E\langle m\rangle^2, \quad q_1 = E\langle m^2\rangle, \quad p = E\langle \tilde w m\rangle, \quad
        \hat q_0 = \alpha E\langle f\rangle^2, \quad \hat q_1 = \alpha E\langle f^2\rangle

    with means ``<.>`` over the centre and the replicas of a group, of the mean weight ``m`` and the force ``f`` of one.

    Args:
        model: weights x architecture x constraint; the weights are binary.
        replicas: ``y``, from 1 to 64, infinite, or ``"typical"``.
        centre: ``"free"`` or ``"solution"``.
        centre_margin: of a centre that is a solution, that of the model unless given; differentiable.
        nodes: of the outer and of the inner integrals, see `RobustEnsemble`; of a centre that is a solution, of a weight in
            the shared field, ``u`` and the centre's own field, then of a pattern in both fields and ``w``; for infinitely
            many replicas of a weight in the shared field and of a pattern in both.

    Raises:
        ValueError: other numbers of replicas or nodes, a teacher, weights that are not binary; infinitely many or a centre
            that is a solution with an even constraint, and both with units that jump; a free centre with a margin.
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
    centre_margin: float | _Scalar | None
    nodes: tuple[int, ...] = eqx.field(static=True)
    infinite: bool = eqx.field(static=True)

    control: ClassVar[str] = "distance"
    order: ClassVar[type[CentredEnsembleOrder]] = CentredEnsembleOrder

    def __init__(self, model: Model, replicas: Any, centre: str = FREE, centre_margin: Any = None, nodes: Any = None):
        self.model, typical = model, isinstance(replicas, str)
        if typical and replicas != TYPICAL:
            raise ValueError(f'replicas must be a number from 1 up to 64, inf or "{TYPICAL}", not {replicas!r}')
        refuse_another("model", model, Model, "fmjax.Perceptron(margin=0.0)")
        self.centre_margin = margin_of_centre(model, centre, centre_margin)
        alone = RobustEnsemble(model, _BEGINS if typical else replicas)  # what makes no sense without a centre either
        self.replicas, self.infinite = None if typical else alone.replicas, alone.infinite
        if self.frozen:
            refuse_jumps(model)
        usual = (160, 192) if not self.solving else (1280, 120, 80) if self.infinite else (160, 192, 32, 60, 32, 128)
        self.nodes = usual if nodes is None else nodes_of(*usual)(nodes)

    @property
    def typical(self) -> bool:
        """Whether ``y`` is what leaves no entropy of centres."""
        return self.replicas is None

    @property
    def solving(self) -> bool:
        """Whether the centre is a solution itself."""
        return self.centre_margin is not None

    @property
    def frozen(self) -> bool:
        """Whether infinitely many replicas leave their centre, a solution, no freedom."""
        return self.solving and self.infinite

    def _many(self, found: _Scalar) -> _Scalar:
        """The number of replicas: the one given or, of typical ones, what was ``found``."""
        return found if self.replicas is None else jnp.asarray(self.replicas)

    def _ensemble(self, y: _Scalar) -> RobustEnsemble:
        """The same replicas without a centre: patterns know nothing of a free one."""
        return RobustEnsemble(self.model, math.inf if self.infinite else y, (self.nodes[0], self.nodes[1]))

    @property
    def equilibrium(self) -> Equilibrium:
        """The functional of typical solutions that centres are where they are far from their replicas; any for free ones."""
        return Equilibrium(self.model if self.centre_margin is None else self.model.with_margin(self.centre_margin))

    @property
    def before(self) -> CentredEnsemble | None:
        """The ensemble on whose curve that of typical or frozen replicas begins; None where it begins by itself."""
        if self.frozen:
            return CentredEnsemble(self.model, math.inf)
        return self._with(_BEGINS, self.nodes) if self.typical else None

    def following(self, fields: Float[Array, " before"]) -> Float[Array, " fields"]:
        """Those of `before`, and what is new: the number of replicas, or what a centre feels by itself."""
        return jnp.insert(fields, 2, jnp.full(2, _NO_FIELD)) if self.frozen else jnp.append(fields, 0.0)

    def _with(self, replicas: Any, nodes: tuple[int, ...]) -> CentredEnsemble:
        return CentredEnsemble(self.model, replicas, SOLUTION if self.solving else FREE, self.centre_margin, nodes)

    def farthest(self, typical: EquilibriumOrder) -> _Scalar:
        """A half of a free centre: no curve reaches further. One, that of all distances, of a solution."""
        return jnp.full_like(typical.gap, 1.0 if self.solving else 0.5)

    def crowded(self, order: CentredEnsembleOrder) -> Bool[Array, " rows"]:
        """Where typical replicas are too many for the integrals over them."""
        return (order.replicas > _CROWD) & self.typical

    def controls(self, alpha: _Scalar, reference: EquilibriumOrder, tilt: _Scalar | float = 0.0) -> RobustEnsembleControls:
        """Those of `saddle`, whatever the ``reference``: the distance follows from the fields."""
        return RobustEnsembleControls(alpha, jnp.zeros(()), tilt)

    @property
    def positive(self) -> np.ndarray:
        """All but those along each other, the pull to the centre and logarithms."""
        return np.array([not self.infinite, True, *[False, True] * self.solving, False, *[False] * self.typical])

    @property
    def scale(self) -> np.ndarray:
        """That of the amplitude is small: it counts in the exponent of many replicas."""
        return np.array([1.0 if self.infinite else 1e-6, 1e-3, *[1e-3, 1e-3] * self.solving, 1e-3, *[1.0] * self.typical])

    def start(self, reference: EquilibriumOrder, typical: EquilibriumOrder) -> Float[Array, " fields"]:
        """The fields of ``typical`` solutions, which no centre pulls at, and of a ``reference`` that is the centre."""
        nothing, amplitude = jnp.zeros_like(typical.q_hat), jnp.sqrt(typical.q_hat)
        if not self.solving:
            return jnp.stack([jnp.log(amplitude) if self.infinite else amplitude, nothing, nothing])
        along = jnp.minimum(typical.q_hat, reference.q_hat) / amplitude
        return jnp.stack([amplitude, nothing, along, reference.q_hat - along**2, nothing])

    def saddle(
        self, fields: Float[Array, " fields"], controls: RobustEnsembleControls, clusters: Clusters | None = None
    ) -> Saddle:
        """What the fields of the class, and of typical replicas ``ln(y / 64)``, imply."""
        if clusters is not None:
            raise TypeError("a centred ensemble has no clusters of its own: its replicas are one")
        amplitude, stretch_hat, *own = fields[: 5 if self.solving else 3]
        along, beside, pull = own if self.solving else (jnp.zeros(()), jnp.zeros(()), *own)
        y, amplitude = self._many(_BEGINS * jnp.exp(fields[-1])), jnp.exp(amplitude) if self.infinite else amplitude
        unit = amplitude if self.frozen else 1.0  # of fields that vanish with the one that all groups share
        at = CentreFields(amplitude, stretch_hat, pull, along * unit, beside * unit**2)
        overlaps, entropic, site_energy = self._site(at, y, controls)
        implied = self._implied(overlaps, y, controls)
        shared = jnp.log(amplitude / implied.amplitude) if self.infinite else amplitude - implied.amplitude
        residual = [shared, stretch_hat - implied.stretch_hat]
        if self.solving:
            unit = implied.amplitude if self.frozen else 1.0
            residual += [along - implied.along / unit, beside - implied.beside / unit**2]
        order = CentredEnsembleOrder.of(overlaps, at, y, self.frozen)
        single, groups, alone = order.interaction(overlaps, y, self.frozen)
        entropy = local_entropy = entropic + implied.potential - single - 0.5 * groups - alone
        if not self.infinite:
            local_entropy = site_energy + implied.energy - single - groups
            order = eqx.tree_at(lambda o: o.centre_entropy, order, y * (entropy - local_entropy))
        if self.typical:  # where there are centres to spare, those closer to their replicas are found
            residual.append(-order.centre_entropy)
        return Saddle(
            residual=jnp.stack(residual),
            position=jnp.log(overlaps.p_gap) - jnp.log(2.0 - overlaps.p_gap),
            value=entropy,
            slope=2.0 * (order.p_hat - implied.joint),
            replicon=jnp.asarray(jnp.nan),
            order=eqx.tree_at(lambda o: o.local_entropy, order, local_entropy),
        )

    def __call__(self, order: CentredEnsembleOrder, controls: RobustEnsembleControls) -> _Scalar:
        """The free entropy per replica of any order parameters."""
        y, p = self._many(order.replicas), 1.0 - 2.0 * controls.distance
        amplitude = jnp.sqrt(order.q0_hat)
        along, free = order.t_hat / amplitude, 0.0 if self.frozen else order.t_hat
        at = CentreFields(amplitude, order.stretch_hat, order.p_hat - free, along, order.centre_hat - along**2)
        _, entropic, _ = self._site(at, y, controls)
        if self.frozen:
            held = order.centre_stretch, order.t_stretch, order.centre_stretch - order.t_stretch**2 / order.stretch
            overlaps = GroupOverlaps.in_the_limit(1.0 - order.q1, order.stretch, order.q1, 1.0 - p, *held)
        else:
            overlaps = GroupOverlaps.of_order(1.0 - order.q1, order.stretch, p, order.centre, order.t, y)
        single, groups, alone = order.interaction(overlaps, y, self.frozen)
        return entropic + self._implied(overlaps, y, controls).potential - single - 0.5 * groups - alone

    def _site(
        self, at: CentreFields, y: _Scalar, controls: RobustEnsembleControls
    ) -> tuple[GroupOverlaps, _Scalar, _Scalar]:
        """What a weight of a group in fields ``at`` implies, its free entropy per replica, and that of one alone."""
        if self.frozen:
            overlaps, entropic = site_in_the_limit(at, self.nodes[0], controls.tilt)
            return overlaps, entropic, entropic
        if not self.infinite:
            site, over = CentreSite.of(at, y, self.nodes[:2], self.nodes[2] if self.solving else None, controls.tilt)
            return GroupOverlaps.of_site(site, over, y), *over(site.potential, site.energy)
        return free_site_in_the_limit(self._ensemble(y), at, controls)

    def _implied(self, overlaps: GroupOverlaps, y: _Scalar, controls: RobustEnsembleControls) -> Implied:
        """What patterns imply at these ``overlaps``."""
        if self.centre_margin is not None:
            model, centre = self.model, self.model.with_margin(self.centre_margin)
            both = model.unit_constraint, centre.unit_constraint
            if self.infinite:
                return pattern_in_the_limit(overlaps, controls, model.architecture, *both, self.nodes[1:])
            pattern, over = CentrePattern.of(overlaps, y, model.architecture, *both, self.nodes[3:], controls.tilt)
            return pattern.implied(over, y, controls.alpha)
        none = jnp.zeros_like(overlaps.q0)
        pattern, over, _, slopes = self._ensemble(y).pattern(overlaps.gap, overlaps.stretch, overlaps.q0, none, controls)
        common, single, *energies = over(pattern.slope**2, pattern.scatter, pattern.potential, pattern.energy)
        stretch_hat = slopes.rising * common + slopes.inside * single
        amplitude, means = jnp.sqrt(controls.alpha * slopes.between * common), jnp.stack([stretch_hat, none, *energies])
        return Implied(amplitude, none, none, *(controls.alpha * means))

    def resized(self, factor: float) -> CentredEnsemble:
        """``factor`` times as many nodes in every dimension."""
        return self._with(TYPICAL if self.replicas is None else self.replicas, tuple(int(factor * n) for n in self.nodes))
