"""Averages of the Franz–Parisi saddle equations: entropic in two dimensions, energetic in three.

Notation of `franz_parisi`. T and s - T are orthogonal, so that g = q - t²/q~ - (p-t)²/(1-q~) is the variance that is
left of m = tanh F after projecting it on both: computed as such it is positive and exact however small. With the losses
A = 1 - t/q~ and B = 1 - (p-t)/(1-q~), which are small at small distance, and s = z - theta >= 0, the field is

    h = (1-B) sqrt(1-q~) s + (1-B) kt + sqrt(q~) (B-A) x + sqrt(g) y.

The energetic term is integrated in these variables: x and y by trapezoids, s by Gauss–Legendre panels whose widths grow
in proportion to the distance from the kink h = k (its width is sqrt(1-q)), for each x and y on their own.
"""

from typing import NamedTuple

import numpy as np

from .equilibrium import equilibrium, gaussian_trapezoid, log_h, mills

GAUSS_LEGENDRE = np.polynomial.legendre.leggauss(16)
BLOCK = 400_000  # nodes held in memory at once


class Reference(NamedTuple):
    """Equilibrium of the reference w~: constraint density, margin kt, overlap q~ and conjugate q~^."""

    alpha: float
    margin: float
    overlap: float
    conjugate: float


class Overlaps(NamedTuple):
    """The same overlaps without cancellation at small distance: 1-q, A = 1 - t/q~, B = 1 - (p-t)/(1-q~), g."""

    one_minus_q: float
    loss_along: float
    loss_across: float
    spread: float


class Fields(NamedTuple):
    """Unknowns of the saddle equations: t^, sqrt(q^ - t^²/q~^), p^ - t^."""

    t_hat: float
    width: float
    eta: float


class Entropic(NamedTuple):
    """Averages over (x, s, y): E ln(1 + e^{-2sF}), 1-p = E(1 - s m), the overlaps, q~ = E T² and 1-q~."""

    log_term: float
    one_minus_p: float
    overlaps: Overlaps
    overlap_ref: float
    one_minus_ref: float


class Energetic(NamedTuple):
    """Averages over (x, z, y): 1, ln H, f², f f~, and f~ f on the boundary z = theta of the reference's constraint."""

    norm: float
    log_h: float
    force_force: float
    force_ref: float
    boundary: float


def reference(alpha, margin):
    """Typical solution at margin kt."""
    point = equilibrium(alpha, margin)
    return Reference(alpha, margin, float(point.overlap), float(point.conjugate))


def entropic_averages(fields, conjugate_ref, refine=1.0):
    """Trapezoids in x and y, at s = +1 with weight 1 + T: the measure is invariant under (x, y, s) -> -(x, y, s)."""
    t_hat, width, eta = fields
    root_ref = np.sqrt(conjugate_ref)
    x, weight_x = gaussian_trapezoid(min(0.4, 0.25 / max(root_ref, abs(t_hat) / root_ref)) / refine)
    y, weight_y = gaussian_trapezoid(min(0.4, 0.25 / max(abs(width), 1e-9)) / refine)
    tanh = np.tanh(root_ref * x)[:, None]
    minus = 2 / (1 + np.exp(2 * root_ref * x))[:, None]  # 1 - T without cancellation
    weight = (weight_x * minus[::-1, 0])[:, None] * weight_y  # the nodes are symmetric: reversed, it is 1 + T
    field = t_hat / root_ref * x[:, None] + width * y + eta
    decay = np.exp(-2 * np.abs(field))
    loss = np.where(field > 0, 2 * decay, 2.0) / (1 + decay)  # 1 - m
    overlap_ref, one_minus_ref = np.sum(weight * tanh**2), np.sum(weight * minus)
    along, across = np.sum(weight * tanh * loss) / overlap_ref, np.sum(weight * minus * loss) / one_minus_ref
    overlaps = Overlaps(
        np.sum(weight * loss * (2 - loss)),
        along,
        across,
        np.sum(weight * (loss - along * tanh - across * minus) ** 2),
    )
    log_term = np.sum(weight * (np.log1p(decay) + 2 * np.maximum(-field, 0)))
    return Entropic(log_term, np.sum(weight * loss), overlaps, overlap_ref, one_minus_ref)


def _panels(low, high, count):
    """Composite Gauss–Legendre nodes and weights on each of the intervals [low, high], appended as a last axis."""
    node, weight = GAUSS_LEGENDRE
    fractions = ((np.arange(count)[:, None] + 0.5 + 0.5 * node) / count).ravel()
    length = (high - low)[..., None]
    return low[..., None] + length * fractions, length * np.tile(weight * 0.5 / count, count)


def _graded(low, high, kink, scale, refine):
    """Nodes and weights of ∫_low^high ds, graded within a distance of 1 from the kink: s - kink = scale sinh(tau)."""
    left, middle, right = (np.clip(kink + shift, low, high) for shift in (-1.0, 0.0, 1.0))
    count = int(np.ceil(np.arcsinh(1 / scale) / 1.5 * refine))
    pieces = []
    for start, end in ((left, middle), (middle, right)):
        if np.any(end > start):
            tau, weight = _panels(np.arcsinh((start - kink) / scale), np.arcsinh((end - kink) / scale), count)
            pieces.append((kink[..., None] + scale * np.sinh(tau), weight * scale * np.cosh(tau)))
    pieces += [_panels(a, b, int(np.ceil(5 * refine))) for a, b in ((low, left), (right, high)) if np.any(b > a)]
    return tuple(np.concatenate(parts, axis=-1) for parts in zip(*pieces, strict=True))


def energetic_averages(overlaps, ref, margin=0.0, refine=1.0):
    """Three-dimensional quadrature of the energetic averages at given overlaps; error below 1e-12 at refine = 1."""
    one_minus_q, along, across, spread = overlaps
    spread = max(spread, 0.0)  # from rounded overlaps it can be -1e-17
    width, root_ref, root_rest = np.sqrt(one_minus_q), np.sqrt(ref.overlap), np.sqrt(1 - ref.overlap)
    x, weight_x = gaussian_trapezoid(min(0.35, 0.45 * root_rest / root_ref) / refine)
    y, weight_y = gaussian_trapezoid(min(0.55, 0.45 * width / np.sqrt(max(spread, 1e-300))) / refine)
    if spread < 1e-22 * one_minus_q:  # the y dependence is below rounding
        y, weight_y = np.zeros(1), np.ones(1)
    slope = (1 - across) * root_rest
    scale = min(width / max(abs(slope), 1e-300), 1.0)
    theta = (ref.margin - root_ref * x) / root_rest
    force_ref = mills(theta)
    start = np.maximum(0.0, -9.5 - theta)  # below z = -9.5 the Gaussian is 1e-20
    length = np.where(theta > 0, np.minimum(9.5, 42 / np.maximum(theta, 1e-9)), 9.5 - theta - start)
    at_boundary = (1 - across) * ref.margin + root_ref * (across - along) * x[:, None] + np.sqrt(spread) * y
    totals = np.zeros(5)
    rows = max(1, BLOCK // (len(y) * 250))
    for block in (slice(i, i + rows) for i in range(0, len(x), rows)):
        h = at_boundary[block]
        low = np.broadcast_to(start[block, None], h.shape)
        high = low + np.maximum(length[block, None], 1e-12)
        kink = np.clip((margin - h) / slope, -1e3, 1e3) if slope else np.zeros_like(h)
        s, weight_s = _graded(low, high, kink, scale, refine)
        argument = (margin - h[..., None] - slope * s) / width
        # phi(theta + s)/H(theta) = M(theta) exp(-theta s - s²/2), exact in both tails.
        theta_s, mills_s = theta[block, None, None], force_ref[block, None, None]
        weight_xy = weight_x[block, None] * weight_y
        weight = weight_xy[..., None] * weight_s * mills_s * np.exp(-s * (theta_s + s / 2))
        force = mills(argument) / width
        totals += [
            np.sum(weight),
            np.sum(weight * log_h(argument)),
            np.sum(weight * force**2),
            np.sum(weight * force * mills_s) / root_rest,
            np.sum(weight_xy * mills((margin - h) / width) * force_ref[block, None]) / (width * root_rest),
        ]
    return Energetic(*totals)
