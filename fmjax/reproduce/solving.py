"""What the figures ask of the theory: arrays of one shape, so that each program is compiled once."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import fmjax
from fmjax.progress import Progress

CONVERGED = "converged"
_NO_MARGIN = "the margin of the reference is a threshold that was not found"


@jax.jit
def _typical(alphas: Any, margins: Any) -> Any:
    def point(alpha: Any, margin: Any) -> Any:
        return fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron(margin=margin)), alpha=alpha)

    return jax.vmap(point)(alphas, margins)


@jax.jit
def _curve(model: Any, alpha: Any, reference_margin: Any, distances: Any) -> Any:
    return fmjax.curve(fmjax.FranzParisi(model, reference_margin=reference_margin), alpha=alpha, distance=distances)


@jax.jit
def _kappa_max(model: Any, alphas: Any) -> Any:
    return jax.vmap(lambda alpha: fmjax.thresholds.kappa_max(model, alpha))(alphas)


def _model(activation: str | None, margin: float = 0.0) -> Any:
    """The perceptron, or the committee of that name, with numbers as arrays.

    A Python number would be compiled in, and every value would wait for its own program.
    """
    at = jnp.asarray(margin, dtype=float)
    return fmjax.Perceptron(margin=at) if activation is None else fmjax.TreeCommittee(activation, margin=at)


def _columns(found: Any, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    columns = {name: np.asarray(getattr(found, name), dtype=float) for name in names}
    results = np.asarray(found.result, dtype=object)
    return columns | {"result": np.broadcast_to(results, columns[names[0]].shape)}


def typical(alphas: np.ndarray, margins: np.ndarray) -> dict[str, np.ndarray]:
    """Typical solutions at every pair of an alpha and its margins.

    Args:
        alphas: patterns per weight, shape (n,).
        margins: margins for each alpha, shape (n, m).

    Returns:
        ``entropy``, ``overlap``, ``distance``, ``residual``, ``error_estimate`` and ``result``, each of shape (n, m).
    """
    pairs = np.broadcast_to(alphas[:, None], margins.shape)
    found = _typical(jnp.asarray(pairs.ravel()), jnp.asarray(np.nan_to_num(margins).ravel()))
    columns = _columns(found, ("entropy", "distance", "residual", "error_estimate"))
    columns["overlap"] = np.asarray(found.order.q)
    columns = {name: column.reshape(margins.shape) for name, column in columns.items()}
    columns["result"] = np.where(np.isnan(margins), _NO_MARGIN, columns["result"])
    return columns


def curves(
    alphas: np.ndarray,
    reference_margins: np.ndarray,
    distances: np.ndarray,
    progress: Progress,
    activation: str | None = None,
) -> dict[str, np.ndarray]:
    """Local entropy of solutions at margin 0 around references, one curve per core at a time.

    Args:
        alphas: patterns per weight, shape (n,).
        reference_margins: margin of the reference of each curve, shape (n,); NaN gives a curve with a reason.
        distances: distances from the reference, the same for all curves, shape (m,).
        progress: wraps the loop over curves.
        activation: of a tree committee; the perceptron without one.

    Returns:
        ``entropy``, ``slope``, ``replicon``, ``residual``, ``error_estimate`` and ``result``, each of shape (n, m).
    """
    model = _model(activation)

    def solve(alpha: float, margin: float) -> dict[str, np.ndarray]:
        found = _curve(model, alpha, np.nan_to_num(margin), jnp.asarray(distances))
        return _columns(found, ("entropy", "slope", "replicon", "residual", "error_estimate"))

    pairs = list(zip(alphas, reference_margins, strict=True))
    for _ in progress(range(1), "the first curve"):
        solve(*pairs[0])  # compiled once, before several threads ask for it
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(solve, *pair) for pair in pairs]
        rows = [curve.result() for curve in progress(running, "curves")]
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    columns["result"] = np.where(np.isnan(reference_margins)[:, None], _NO_MARGIN, columns["result"])
    return columns


def kappa_max(alphas: np.ndarray, activation: str | None = None) -> dict[str, np.ndarray]:
    """``value``, ``error_estimate`` and ``result`` of kappa_max at every alpha; NaN where it did not converge."""
    return _columns(_kappa_max(_model(activation), jnp.asarray(alphas, dtype=float)), ("value", "error_estimate"))


def permissible() -> set[str]:
    """Results that are answers and not failures: converged, the branch ends there, no such threshold exists."""
    from fmjax.sentences import THEORY
    from fmjax.solvers import outcome

    return {CONVERGED} | {THEORY[code] for code in (outcome.BRANCH_ENDED, outcome.NO_CANDIDATE)}
