"""The shape every free-entropy functional shares: overlaps are correlations of magnetisations, fields of forces.

A functional is ``phi = interaction(overlaps, conjugates) + G_S(conjugates) + alpha G_E(overlaps)``, a scalar that is made
stationary in all its order parameters. Its stationarity conditions need no derivative of an integral: by Gaussian
integration by parts, for any prior, constraint and kernel ``Q``,

    overlap of a and b      = E_site[ m_a m_b ]                       m = d ln Z / d field, the mean weight
    conjugate of a and b    = alpha Q'(overlap) E_pattern[ f_a f_b ]  f = d ln P / d mean, the force

So overlaps are explicit functions of the fields (the conjugates), and only the fields have to be solved for. `Functional.
saddle` says what a given set of fields implies; where it implies itself, ``phi`` is stationary.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fmjax.checks import refuse_another, whole
from fmjax.models import Architecture, Constraint, Model, Site, Weights
from fmjax.replica.clusters import Broken, Clusters, Inside
from fmjax.special import derivatives

__all__ = ["Average", "Functional", "Kernels", "Magnetisations", "Saddle", "Tilted", "nodes_of"]

_Scalar = Float[Array, ""]


def nodes_of(*usual: int) -> Callable[[Any], Any]:
    """What makes numbers of nodes, of as many integrals as there are ``usual`` ones; `ValueError` for what are none."""

    def convert(nodes: Any) -> tuple[int, ...]:
        if isinstance(nodes, str | bytes) or np.ndim(nodes) != 1 or len(nodes) != len(usual):
            raise ValueError(f"nodes must be {len(usual)} whole numbers, one for each integral, not {nodes!r}: try {usual}")
        return tuple(whole("nodes", count, least=8) for count in nodes)

    return convert


class Saddle(eqx.Module):
    """What a set of fields implies.

    Attributes:
        residual: fields minus those that their own overlaps imply, shape ``(equations,)``: the saddle equations.
        position: where the functional is evaluated, as far as that follows from the fields: ``logit(distance)`` of the held
            overlap, ``ln(d / (1-d))``. Zero for a functional that holds no overlap.
        value: the free entropy per weight, nats.
        slope: its derivative along the functional's own control.
        replicon: positive where replica symmetry is locally stable (`fmjax.replica.stability`).
        order: order parameters.
        broken: what clusters of replicas add, where there are some.
    """

    residual: Float[Array, " equations"]
    position: _Scalar
    value: _Scalar
    slope: _Scalar
    replicon: _Scalar
    order: Any
    broken: Broken | None = None


class Functional(eqx.Module):
    """A free entropy per weight (nats), as a scalar of its order parameters and as the saddle equations of its fields.

    ``controls`` is whatever the functional is evaluated at: a Module with an ``alpha``, and with a ``tilt`` between the
    twin rules of every integral, which is zero: the derivative of an answer with respect to it is an error estimate.
    ``model`` is that of the solutions that are counted. `fmjax.solve` and `fmjax.curve` take the functionals that there are.

    Raises:
        TypeError: ``model`` is none.
    """

    control: ClassVar[str]  # the control along which a slope is reported
    model: eqx.AbstractVar[Model]

    def __check_init__(self):
        refuse_another("model", self.model, Model, "fmjax.Perceptron(margin=0.0)")

    @property
    @abstractmethod
    def positive(self) -> np.ndarray:
        """Which of the fields cannot be negative, shape ``(fields,)``."""

    @property
    @abstractmethod
    def scale(self) -> np.ndarray:
        """Size of each field below which its relative accuracy does not matter, shape ``(fields,)``."""

    @abstractmethod
    def saddle(self, fields: Float[Array, " fields"], controls: Any, clusters: Clusters | None = None) -> Saddle:
        """What ``fields`` imply; with ``clusters``, they are those that all clusters share."""

    @abstractmethod
    def __call__(self, order: Any, controls: Any) -> _Scalar:
        """The free entropy per weight of any order parameters: the definition."""

    @abstractmethod
    def resized(self, factor: float) -> Functional:
        """The same functional with ``factor`` times as many quadrature nodes in every dimension."""


class Average(eqx.Module):
    """Sums over the nodes of a rule, of which its twins contribute as they are tilted, see `fmjax.quadrature`."""

    probability: Float[Array, "*#nodes"]
    twin: Float[Array, "*#nodes"] | np.ndarray
    tilt: Float[Array, ""] | float

    def __call__(self, *values: Float[Array, "*#nodes"]) -> Float[Array, " values"]:
        """``sum(probability (1 + tilt twin) value)`` of each, for derivatives at ``tilt = 0``."""
        return self.sums(*(self.probability * value for value in values))

    def sums(self, *terms: Float[Array, "*#nodes"]) -> Float[Array, " terms"]:
        """The same of values that are multiplied with their probability already."""
        twin = jnp.asarray(self.twin)
        shape = jnp.broadcast_shapes(twin.shape, *(term.shape for term in terms))
        rows = [jnp.broadcast_to(term, shape) for term in terms]
        if twin.shape[-1] == 1 and twin.ndim > 1:  # nodes of one row belong to the same twin
            rows, shape, twin = [jnp.sum(row, axis=-1) for row in rows], shape[:-1], twin[..., 0]
        twin = jnp.broadcast_to(twin, shape).reshape(-1)
        both = jnp.stack([row.reshape(-1) for row in rows]) @ jnp.stack([jnp.ones_like(twin), twin], axis=1)
        # The tilt is zero, and is only there to be differentiated.
        return both[:, 0] + self.tilt * jax.lax.stop_gradient(both[:, 1])


class Magnetisations(eqx.Module):
    """A weight in its fields: free entropy, mean, variance, and what to average over the fields with.

    In clusters, those of one, and ``inner`` holds the rest, to be averaged: variance inside a cluster, free entropy, and the
    mean free entropy of one replica.
    """

    log_partition: Float[Array, "*#nodes"]
    mean: Float[Array, "*#nodes"]
    variance: Float[Array, "*#nodes"]
    over: Average
    inner: tuple[Float[Array, "*#nodes"], ...] = ()

    @staticmethod
    def of(weights: Weights, site: Site, tilt: _Scalar | float, clusters: Clusters | None) -> Magnetisations:
        """By derivatives of ``log_partition``."""
        over = Average(site.probability, site.twin, tilt)
        (mean_square,) = over(site.field**2)

        def log_partition(field):
            return weights.log_partition(field, mean_square)

        if clusters is None:
            return Magnetisations(log_partition(site.field), *derivatives(log_partition, site.field), over)
        one = clusters.of_weights(log_partition, site.field)
        inner = one.bend, one.potential, one.energy
        return Magnetisations(one.potential, one.slope, one.bend + one.scatter / clusters.m, over, inner)


class Tilted(eqx.Module):
    """A pattern in the fields of a cavity, of this mean: its log weight, force, susceptibility, and what to average with.

    In clusters, those of one, and ``inner`` holds the rest, to be averaged: mean square of the force, log weight, and the
    mean log weight of one replica.
    """

    mean: Float[Array, "*#nodes"]
    std: _Scalar
    log_weight: Float[Array, "*#nodes"]
    force: Float[Array, "*#nodes"]
    susceptibility: Float[Array, "*#nodes"]
    over: Average
    inner: tuple[Float[Array, "*#nodes"], ...] = ()

    @staticmethod
    def of(constraint: Constraint, mean: Array, std: _Scalar, over: Average, inside: Inside | None) -> Tilted:
        """For pre-activations of this ``mean`` and standard deviation, all of it or what is ``inside`` clusters."""
        if inside is not None:
            one = inside.clusters.of_pattern(constraint, mean, std, inside.width)
            inner = one.slope**2 + one.scatter / inside.clusters.m, one.potential, one.energy
            return Tilted(mean, std, one.potential, one.slope, one.bend, over, inner)
        value, force = jax.jvp(lambda mean: constraint.log_weight(mean, std), (mean,), (jnp.ones_like(mean),))
        # Only stability asks for the susceptibility; its derivatives, of third order, would cost more than all the rest.
        at, width, constraint = jax.lax.stop_gradient((mean, std, constraint))
        _, susceptibility = derivatives(lambda mean: constraint.log_weight(mean, width), at)
        return Tilted(mean, std, value, force, susceptibility, over)


class Kernels(eqx.Module):
    """A kernel at several overlaps: values ``Q``, slopes ``Q'`` and bends ``Q''``."""

    value: Float[Array, " overlaps"]
    slope: Float[Array, " overlaps"]
    bend: Float[Array, " overlaps"]

    @staticmethod
    def of(architecture: Architecture, *overlaps: _Scalar) -> Kernels:
        """At ``overlaps`` that are not close to one."""
        return Kernels._derivatives(architecture.kernel, overlaps)

    @staticmethod
    def beside_one(architecture: Architecture, *gaps: _Scalar) -> Kernels:
        """At overlaps ``1 - gap``; ``value`` is ``1 - Q``, without cancellation."""
        found = Kernels._derivatives(architecture.complement, gaps)
        return Kernels(found.value, found.slope, -found.bend)

    @staticmethod
    def _derivatives(function: Callable[[_Scalar], _Scalar], at: tuple[_Scalar, ...]) -> Kernels:
        def all_of(x):
            return jnp.vectorize(function)(x)

        points = jnp.stack(at)
        return Kernels(all_of(points), *derivatives(all_of, points))
