"""Entropy of groups of replicas: solutions whose overlaps have two levels, inside a group and between groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.checks import is_traced, number
from fmjax.models import Binary, Model
from fmjax.quadrature import Layered, offset, twins
from fmjax.replica import blocks
from fmjax.replica.clusters import FAINT, Clusters
from fmjax.replica.equilibrium import EquilibriumControls
from fmjax.replica.functional import Average, Functional, Kernels, Saddle, nodes_of
from fmjax.special import log_2cosh

__all__ = ["UltrametricEnsemble", "UltrametricOrder"]

_Scalar = Float[Array, ""]
_Fields = Float[Array, " x"]
_Rule = tuple[Float[Array, "h u"], Float[Array, "h u"]]


class UltrametricOrder(eqx.Module):
    """Order parameters of ``a`` groups of ``b`` replicas.

    ``q2``: overlap of two replicas of one group; ``q1``: of two groups of one family; ``q0``: of two families on the same
    patterns; ``q0_hat``: conjugate of ``q0``. ``inner = b (q2 - q1)`` and ``outer = a b (q1 - q0)``, and the same of the
    conjugates, ``inner_hat = b (q2_hat - q1_hat)`` and ``outer_hat = a b (q1_hat - q0_hat)``.
    """

    q2: Float[Array, "*batch"]
    q1: Float[Array, "*batch"]
    q0: Float[Array, "*batch"]
    q0_hat: Float[Array, "*batch"]
    outer: Float[Array, "*batch"]
    inner: Float[Array, "*batch"]
    outer_hat: Float[Array, "*batch"]
    inner_hat: Float[Array, "*batch"]


class _Family(eqx.Module):
    """A weight or a pattern of all groups, in each field ``x`` that families share; see `blocks.Block`.

    Attributes:
        potential: free entropy per replica.
        slope: mean over replicas and groups of the weight, or of the force.
        outer: ``a b`` times the variance of the means of groups.
        inner: ``b`` times the variance inside groups, averaged over them.
        bend: mean of the second derivative.
    """

    potential: _Fields
    slope: _Fields
    outer: _Fields
    inner: _Fields
    bend: _Fields


class UltrametricEnsemble(Functional):
    r"""Entropy per replica of ``a`` groups of ``b`` solutions: overlaps ``q2`` inside a group, ``q1`` between groups.

    .. math::

        \phi &= \mathop{\mathrm{ext}} -\tfrac12 \{\hat q_2 [1 + (b-1) q_2] + (a-1) b\, q_1 \hat q_1 - a b\, q_0 \hat q_0\}
        + G_S + \alpha G_E, \\
        G_S &= \tfrac1{ab} \int\! Dx \ln \int\! Dz\, \Big\{\int\! Du\, [2\cosh(\sqrt{\hat q_0} x +
        \sqrt{\hat q_1 - \hat q_0} z + \sqrt{\hat q_2 - \hat q_1} u)]^b\Big\}^a, \\
        G_E &= \tfrac1{ab} \int\! Dx \ln \int\! Dz\, \Big\{\int\! Du\, H^b\Big(\frac{\kappa - \sqrt{q_0} x -
        \sqrt{q_1 - q_0} z - \sqrt{q_2 - q_1} u}{\sqrt{1-q_2}}\Big)\Big\}^a

    in nats per weight and replica; ``H`` is the probability that a pattern is satisfied. With an even constraint families of
    groups have no overlap, ``q0 = q0^ = 0``: nothing is left of ``x``, and ``a b phi`` is the logarithm of their mean number
    (Stojnic 2026, arXiv:2604.19712). With ``q1 = q2``, ``q1 = q0``, ``a = 1`` or ``b = 1`` it is the entropy of
    `RobustEnsemble` for ``a b``, ``b``, ``b`` or ``a`` replicas.

    Both overlaps are those of least ``phi``, where it is stationary in all of them. Beyond the load at which that vanishes,
    `thresholds.robust_capacity`, some arrangement of groups does not exist. For a `SymmetricMargin` of 1 it is 1.64458 for 2
    groups of 2, 1.62355 for 3 of 3, 1.62182 for 3 of 4, 1.62285 for 3 of 5 and 1.62668 for 4 of 4; least of all is 1.62174,
    for 2.87256 groups of 3.96543. In print, 1.6219 for whole numbers and 1.6218 for others. For a `Margin` of 0 it is
    0.78056 for 2 groups of 2, 0.77547 for 2 of 3 and 0.77191 for 3 of 4.

    The fields are ``q0^`` (none if even), ``D1^ = a b (q1^ - q0^)`` and ``D2^ = b (q2^ - q1^)``. With the mean weight ``m``
    and the force ``f`` of one replica, means ``<.>`` over a group and ``[.]`` over the groups of a family,

    .. math:: q_0 = E[\langle m\rangle]^2, \quad q_1 = E[\langle m\rangle^2], \quad q_2 = E[\langle m^2\rangle], \quad
        \hat q_0 = \alpha E[\langle f\rangle]^2, \quad \hat q_1 = \alpha E[\langle f\rangle^2], \quad
        \hat q_2 = \alpha E[\langle f^2\rangle]

    Args:
        model: weights x architecture x constraint; the weights are binary.
        groups: ``a``, from 1 on.
        replicas: ``b`` in each of them, from 1 on; ``a b`` is 16 at most.
        nodes: of the integrals over ``x``, ``z`` and ``u``. With 90 of ``z`` and of ``u``, averages at the loads of
            `thresholds.robust_capacity` at margin 1 were found to miss 1e-12, with 60 up to 3e-7 (``a = 8, b = 2``);
            with 64 of ``x``, at margin 0, 1e-9 (``a = 3, b = 4``).

    Attributes:
        most: replicas in all. Up to there, at symmetric margins from 0.1 to 2, the least load was found below those of one
            level in every case; with more of them several minima compete. At 3 some cases have no answer, and say so.

    Raises:
        ValueError: other numbers of groups, replicas or nodes, more than 16 in all, a model with a teacher, or weights that
            are not binary.
        TypeError: clusters of replicas, which are in groups already.

    Example:
        >>> import fmjax
        >>> fmjax.replica.UltrametricEnsemble(fmjax.Perceptron(), groups=3, replicas=4).groups
        3.0
    """

    model: Model
    groups: float | _Scalar
    replicas: float | _Scalar
    nodes: tuple[int, int, int] = eqx.field(static=True, converter=nodes_of(64, 90, 90))

    control: ClassVar[str] = "alpha"
    order: ClassVar[type[UltrametricOrder]] = UltrametricOrder
    most: ClassVar[float] = 16.0

    def __init__(self, model: Model, groups: Any, replicas: Any, nodes: tuple[int, int, int] = (64, 90, 90)):
        self.model, self.nodes = model, nodes
        self.groups, self.replicas = self._size("groups", groups), self._size("replicas", replicas)

    def __check_init__(self):
        super().__check_init__()
        if not isinstance(self.model.weights, Binary):
            kind = type(self.model.weights).__name__
            raise ValueError(f"the replicas of an ultrametric ensemble have binary weights, not {kind} ones")  # noqa: TRY004  (part of a model)
        if self.model.teacher:
            raise ValueError("groups of a teacher's students are not implemented: use random labels")
        if not is_traced(self.size) and self.size > self.most:
            raise ValueError(f"{self.groups:g} groups of {self.replicas:g} replicas are more than {self.most:g}: try 3 of 4")

    def _size(self, name: str, value: Any) -> Any:
        allowed = f"must be a number from 1 up to {self.most:g}"
        return value if is_traced(value) else number(name, value, lambda size: 1 <= size <= self.most, allowed)

    @property
    def size(self) -> Any:
        """Replicas in all, ``a b``."""
        return self.groups * self.replicas

    @property
    def positive(self) -> np.ndarray:
        """All fields."""
        return np.full(2 if self.model.constraint.even else 3, True)

    @property
    def scale(self) -> np.ndarray:
        """Of fields of order one."""
        return np.full(self.positive.size, 1e-3)

    def saddle(
        self, fields: Float[Array, " fields"], controls: EquilibriumControls, clusters: Clusters | None = None
    ) -> Saddle:
        """What ``q0_hat``, unless the constraint is even, ``D1^`` and ``D2^`` imply."""
        if clusters is not None:
            raise TypeError("an ultrametric ensemble has no clusters of its own: its replicas are in groups")
        q0_hat, outer_hat, inner_hat = (jnp.zeros_like(fields[0]), *fields)[-3:]
        site, over_site = self._site(q0_hat, outer_hat, inner_hat, controls)
        gap, inner, outer, entropic, q0 = over_site(site.bend, site.inner, site.outer, site.potential, site.slope**2)
        pattern, over, close = self._pattern(gap, inner, outer, q0, controls)
        scattered, between, energetic, common = over(pattern.inner, pattern.outer, pattern.potential, pattern.slope**2)
        q2_slope, q1_slope, q0_slope = close.slope
        implied = [
            q0_slope * common,
            q1_slope * between + self.size * (q1_slope - q0_slope) * common,
            q2_slope * scattered + self.replicas * (q2_slope - q1_slope) * (common + between / self.size),
        ]
        q2 = 1.0 - gap
        q1 = q2 - inner / self.replicas
        order = UltrametricOrder(q2, q1, q0, q0_hat, outer, inner, outer_hat, inner_hat)
        return Saddle(
            residual=fields - controls.alpha * jnp.stack(implied[-fields.size :]),
            position=jnp.zeros_like(q2),
            value=self._interaction(order, gap) + entropic + controls.alpha * energetic,
            slope=energetic,
            replicon=jnp.asarray(jnp.nan),
            order=order,
        )

    def __call__(self, order: UltrametricOrder, controls: EquilibriumControls) -> _Scalar:
        """The free entropy of any order parameters; ``q1`` and ``q0`` are those that ``q2``, ``inner`` and ``outer`` say."""
        gap = 1.0 - order.q2
        site, over_site = self._site(order.q0_hat, order.outer_hat, order.inner_hat, controls)
        q0 = order.q2 - order.inner / self.replicas - order.outer / self.size
        pattern, over, _ = self._pattern(gap, order.inner, order.outer, q0, controls)
        (entropic,), (energetic,) = over_site(site.potential), over(pattern.potential)
        return self._interaction(order, gap) + entropic + controls.alpha * energetic

    def _interaction(self, order: UltrametricOrder, gap: _Scalar) -> _Scalar:
        q1, q1_hat = order.q2 - order.inner / self.replicas, order.q0_hat + order.outer_hat / self.size
        single = (q1_hat + order.inner_hat / self.replicas) * gap
        inner = order.q2 * order.inner_hat + q1_hat * order.inner
        return -0.5 * (single + inner + q1 * order.outer_hat + order.q0_hat * order.outer)

    def _site(
        self, q0_hat: _Scalar, outer_hat: _Scalar, inner_hat: _Scalar, controls: EquilibriumControls
    ) -> tuple[_Family, Average]:
        """A weight in its fields."""
        amplitude = jnp.sqrt(q0_hat + FAINT)
        # All replicas of a family turn together, the faster the more there are.
        x, over = self._shared(self.size * amplitude[None], jnp.zeros(1), controls)
        spreads = jnp.sqrt((outer_hat + FAINT) / self.size), jnp.sqrt((inner_hat + FAINT) / self.replicas)
        field, start = amplitude * x, offset(x.size)
        groups = blocks.weight_rule(field, spreads[0], jnp.asarray(self.size), self.nodes[1], start)

        def replicas(field: Array, start: np.ndarray) -> _Rule:
            return blocks.weight_rule(field, spreads[1], jnp.asarray(self.replicas), self.nodes[2], start)

        return self._family(log_2cosh, field, spreads, groups, replicas), over

    def _pattern(
        self, gap: _Scalar, inner: _Scalar, outer: _Scalar, q0: _Scalar, controls: EquilibriumControls
    ) -> tuple[_Family, Average, Kernels]:
        """A pattern in its fields, and kernels at ``q2``, ``q1`` and ``q0``."""
        constraint, architecture = self.model.unit_constraint, self.model.architecture
        one = gap + inner / self.replicas
        close = Kernels.beside_one(architecture, gap, one, one + outer / self.size)
        width, rises = jnp.sqrt(close.value[0]), jnp.diff(close.value)
        # By rounding, differences are negative where two overlaps are the same.
        rises = rises + jax.lax.stop_gradient(jnp.maximum(-rises, 0.0)) + FAINT
        spreads = jnp.sqrt(rises[1]), jnp.sqrt(rises[0])
        scale, edges = jnp.sqrt(Kernels.of(architecture, q0).value[0] + FAINT), constraint.edges()
        smooth = jnp.sqrt(close.value[2])
        x, over = self._shared(jnp.broadcast_to(scale / smooth, edges.shape), -edges / smooth, controls)
        field, start = scale * x, offset(x.size)
        # A group is half satisfied within the deviation of its replicas, and below the margin nearly a parabola again.
        parabola = jnp.sqrt(width**2 + self.replicas * rises[0])
        edge = jnp.sqrt(close.value[1])
        groups = blocks.pattern_rule(
            constraint, field, spreads[0], parabola, jnp.asarray(self.size), self.nodes[1], start, edge
        )

        def replicas(field: Array, start: np.ndarray) -> _Rule:
            return blocks.pattern_rule(
                constraint, field, spreads[1], width, jnp.asarray(self.replicas), self.nodes[2], start
            )

        return self._family(lambda at: constraint.log_weight(at, width), field, spreads, groups, replicas), over, close

    def _shared(
        self, slopes: Float[Array, " layers"], offsets: Float[Array, " layers"], controls: EquilibriumControls
    ) -> tuple[_Fields, Average]:
        """The fields ``x``, with layers; of an even constraint nothing, twice for the twins of the integrals inside."""
        even = self.model.constraint.even
        x, probability = (jnp.zeros(2), jnp.full(2, 0.5)) if even else Layered(self.nodes[0])(slopes, offsets)
        return x, Average(probability, twins(x.size), controls.tilt)

    def _family(
        self,
        potential: Callable[[Array], Array],
        field: _Fields,
        spreads: tuple[_Scalar, _Scalar],
        groups: _Rule,
        replicas: Callable[[Array, np.ndarray], _Rule],
    ) -> _Family:
        """Integrals over ``z``, by the rule for ``groups``, of those over ``u``, by that for ``replicas`` in a field."""
        z, log_weights = groups
        inside = (field[:, None] + spreads[0] * z).reshape(-1)
        rule = replicas(inside, np.repeat(offset(field.size), z.shape[1]))
        group = blocks.block(potential, inside, spreads[1], jnp.asarray(self.replicas), rule)
        group = jax.tree.map(lambda values: values.reshape(z.shape), group)
        exponent = self.size * group.potential + log_weights
        total = jax.nn.logsumexp(exponent, axis=1)
        chance = jnp.exp(exponent - total[:, None])
        slope, inner, bend = (jnp.sum(chance * v, axis=1) for v in (group.slope, group.scatter, group.bend))
        outer = self.size * jnp.sum(chance * (group.slope - slope[:, None]) ** 2, axis=1)
        return _Family(total / self.size, slope, outer, inner, bend)

    def resized(self, factor: float) -> UltrametricEnsemble:
        """``factor`` times as many nodes in every dimension."""
        x, z, u = (int(factor * size) for size in self.nodes)
        return UltrametricEnsemble(self.model, self.groups, self.replicas, (x, z, u))
