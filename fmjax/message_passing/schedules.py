"""How the attraction between replicas grows while belief propagation focuses."""

from __future__ import annotations

import math
from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from fmjax.message_passing.checks import coupling_of, replicas_of, steps_of, sweeps_of

__all__ = ["PseudoReinforcement", "Reinforcement", "Schedule", "Scoping", "through"]

_Field = Float[Array, " N"]


class Schedule(eqx.Module):
    r"""How the attraction between replicas grows: ``steps`` couplings, up to ``sweeps`` sweeps at each.

    In `focusing` every weight has ``y`` replicas, each coupled with strength ``gamma`` to a centre. A replica in the field
    ``B`` of its nodes receives from the ``y - 1`` others, through the centre, the field

    .. math::
        c = \mathrm{atanh}(\tanh\gamma \tanh B), \qquad u = \mathrm{atanh}(\tanh\gamma \tanh((y - 1) c)).

    Attributes:
        steps: number of couplings.
        sweeps: largest number of sweeps at each; fewer where the fields stop changing.
    """

    steps: eqx.AbstractVar[int]
    sweeps: eqx.AbstractVar[int]

    @abstractmethod
    def message(self, step: Int[Array, ""], field: _Field) -> _Field:
        """``u`` at a ``step`` 0, 1, ..., ``steps - 1``; ``field`` is ``B``, and ``u`` has its shape ``(N,)``."""


class PseudoReinforcement(Schedule):
    r"""``gamma = atanh(sqrt rho)`` and ``y = (2 - rho) / (1 - rho)`` grow together, ``rho = step / steps``.

    From 2 replicas that ignore each other to infinitely many that are one; ``steps`` and ``sweeps`` as for every `Schedule`.

    Raises:
        ValueError: one of them is no whole number from 1 on.
    """

    steps: int = eqx.field(static=True, default=500, converter=steps_of)
    sweeps: int = eqx.field(static=True, default=1, converter=sweeps_of)

    def message(self, step: Int[Array, ""], field: _Field) -> _Field:
        """``u`` in the fields ``B``."""
        rho = step.astype(field.dtype) / self.steps
        gamma = jnp.arctanh(jnp.sqrt(rho))
        return through(gamma, through(gamma, field) / (1 - rho))


class Scoping(Schedule):
    r"""Fixed ``y``, ``gamma`` on a regular grid of ``steps`` values from 0 to ``gamma_max``.

    Args:
        y: replicas, at least 2; infinitely many by default: ``u = gamma sign B``.
        gamma_max: the last coupling, positive.
        steps, sweeps: as for every `Schedule`.

    Raises:
        ValueError: a number makes no sense.
    """

    y: float = eqx.field(static=True, default=math.inf, converter=replicas_of)
    gamma_max: float = eqx.field(static=True, default=3.0, converter=coupling_of)
    steps: int = eqx.field(static=True, default=100, converter=steps_of)
    sweeps: int = eqx.field(static=True, default=5, converter=sweeps_of)

    def message(self, step: Int[Array, ""], field: _Field) -> _Field:
        """``u`` in the fields ``B``."""
        gamma = self.gamma_max * step.astype(field.dtype) / max(self.steps - 1, 1)
        if math.isinf(self.y):
            return gamma * jnp.sign(field)
        return through(gamma, (self.y - 1) * through(gamma, field))


class Reinforcement(Schedule):
    r"""Reinforced belief propagation, ``gamma = inf``: ``u = rho B / (1 - rho)``, ``rho = step / steps``.

    At a fixed point ``u = rho (B + u)``: the field of the sweep before, fed back with a growing rate; ``steps`` and
    ``sweeps`` as for every `Schedule`.

    Raises:
        ValueError: one of them is no whole number from 1 on.
    """

    steps: int = eqx.field(static=True, default=500, converter=steps_of)
    sweeps: int = eqx.field(static=True, default=1, converter=sweeps_of)

    def message(self, step: Int[Array, ""], field: _Field) -> _Field:
        """``u`` in the fields ``B``."""
        rho = step.astype(field.dtype) / self.steps
        return rho / (1 - rho) * field


def through(a: Float[Array, "*#shape"], b: Float[Array, "*#shape"]) -> Float[Array, "*shape"]:
    r"""``atanh(tanh a tanh b)``: what is left of the field ``b`` behind a coupling ``a``, at any size of either.

    With ``a >= b >= 0`` it is ``b + [ln(1 + e^{-2(a+b)}) - ln(1 + e^{-2(a-b)})] / 2``, odd in both.
    """
    large, small = jnp.maximum(jnp.abs(a), jnp.abs(b)), jnp.minimum(jnp.abs(a), jnp.abs(b))
    size = small + 0.5 * (jnp.log1p(jnp.exp(-2 * (large + small))) - jnp.log1p(jnp.exp(-2 * (large - small))))
    return jnp.sign(a) * jnp.sign(b) * size
