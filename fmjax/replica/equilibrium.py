"""Typical solutions: the replica-symmetric entropy of the equilibrium measure."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fmjax.models import Model
from fmjax.quadrature import Layered
from fmjax.replica.functional import Functional

__all__ = ["Equilibrium", "EquilibriumControls", "EquilibriumOrder"]

_Scalar = Float[Array, ""]


class EquilibriumOrder(eqx.Module):
    """``q`` (overlap of two typical solutions), its conjugate ``q_hat`` and ``gap = 1 - q`` without cancellation."""

    q: Float[Array, "*batch"]
    q_hat: Float[Array, "*batch"]
    gap: Float[Array, "*batch"]

    def free(self) -> Float[Array, " 2"]:
        """Free coordinates ``(logit q, ln q_hat)``."""
        return jnp.stack([jnp.log(self.q) - jnp.log(self.gap), jnp.log(self.q_hat)])

    @staticmethod
    def from_free(free: Float[Array, " 2"]) -> EquilibriumOrder:
        """The inverse of `free`: any real coordinates give ``0 < q < 1`` and ``q_hat > 0``."""
        return EquilibriumOrder(jax.nn.sigmoid(free[0]), jnp.exp(free[1]), jax.nn.sigmoid(-free[0]))


class EquilibriumControls(eqx.Module):
    """Where the functional is evaluated: ``alpha`` patterns per weight."""

    alpha: Float[Array, "*batch"]


class Equilibrium(Functional):
    r"""Entropy of the solutions of a random instance (theory of Krauth and Mezard, 1989).

        S(alpha, kappa) = ext_{q, q^}  -q^ (1-q)/2 + G_S(q^) + alpha G_E(q)
        G_S = ∫Dx ln 2cosh(sqrt(q^) x)          G_E = ∫Dx ln H( (kappa - sqrt(q) x) / sqrt(1-q) )

    in nats per weight; the forms shown are those of binary weights and a perceptron with a margin. Negative values are
    meaningful: there, typical instances have no solution.

    Args:
        model: weights x architecture x constraint.
        nodes: quadrature nodes per dimension. 128 give 1e-14 wherever the entropy is positive.
    """

    model: Model
    nodes: int = eqx.field(static=True, default=128)

    sizes: ClassVar[tuple[int, int]] = (1, 1)
    control: ClassVar[str] = "alpha"

    def overlaps(self, free: Float[Array, " 1"], controls: EquilibriumControls) -> tuple[_Scalar, _Scalar]:
        """``(q, 1 - q)``."""
        return jax.nn.sigmoid(free[0]), jax.nn.sigmoid(-free[0])

    def conjugates(self, free: Float[Array, " 1"], controls: EquilibriumControls) -> _Scalar:
        """``q_hat``."""
        return jnp.exp(free[0])

    def interaction(self, overlaps: tuple[_Scalar, _Scalar], conjugates: _Scalar, controls: object) -> _Scalar:
        """``-q_hat (1-q) / 2``."""
        return -0.5 * conjugates * overlaps[1]

    def entropic(self, conjugates: _Scalar, controls: object) -> _Scalar:
        """``G_S``."""
        return self.model.weights.typical(conjugates, self.nodes)

    def rule(self, overlaps: tuple[_Scalar, _Scalar], controls: object) -> tuple[Float[Array, " u"], Float[Array, " u"]]:
        """Nodes and weights in the field, with a layer at each edge of the constraint."""
        scale = jnp.sqrt(self.model.architecture.kernel(overlaps[0]))
        width = jnp.sqrt(self.model.architecture.complement(overlaps[1]))
        edges = self.model.unit_constraint.edges()
        return Layered(self.nodes)(jnp.broadcast_to(scale / width, edges.shape), -edges / width)

    def energetic(self, overlaps: tuple[_Scalar, _Scalar], controls: object, rule: tuple) -> _Scalar:
        """``G_E``."""
        scale = jnp.sqrt(self.model.architecture.kernel(overlaps[0]))
        width = jnp.sqrt(self.model.architecture.complement(overlaps[1]))
        u, weight = rule
        return jnp.sum(weight * self.model.unit_constraint.log_weight(scale * u, width))

    def natural(self, free: Float[Array, " 2"], controls: object) -> Float[Array, " 2"]:
        """``(q, q_hat)``."""
        return jnp.stack([jax.nn.sigmoid(free[0]), jnp.exp(free[1])])

    def order(self, free: Float[Array, " 2"], controls: EquilibriumControls) -> EquilibriumOrder:
        """Order parameters from free coordinates."""
        return EquilibriumOrder.from_free(free)

    def resized(self, factor: float) -> Equilibrium:
        """``factor`` times as many nodes."""
        return Equilibrium(self.model, int(factor * self.nodes))
