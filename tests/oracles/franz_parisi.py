"""Franz–Parisi entropy of the binary perceptron, replica symmetric, from hand-derived saddle equations.

With T = tanh(sqrt(q~^) x), s = ±1 of probability (1 + s T)/2 given x, gamma = q^ - t^²/q~^, the field of a counted
weight F = (t^/sqrt(q~^)) x + sqrt(gamma) y + (p^ - t^) s and m = tanh F, the entropic saddle equations are
(integrating by parts)

    q = E m²,      t = E T m,      p = E s m,

and with f = M((k - h)/sqrt(1-q))/sqrt(1-q), f~ = M(theta)/sqrt(1-q~) the two energetic ones, and the slope,

    q^ = alpha E f²,      t^ = alpha E f f~,      dphi/dd = 2 (p^ - alpha E_x f~ E_y f|_{z = theta}).

gamma is the variance that is left of sqrt(alpha) f after projecting it on f~. As the overlaps are explicit functions of
the fields, three unknowns are left: t^, sqrt(gamma) and eta = p^ - t^. The integrals are in `franz_parisi_integrals`.

    python -m tests.oracles.franz_parisi     writes franz_parisi_reference.json again (about ten minutes)
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import root

from . import franz_parisi_mpmath
from .equilibrium import BranchEndedError, equilibrium, maximum_margin
from .franz_parisi_integrals import Fields, Overlaps, energetic_averages, entropic_averages, reference

REFERENCE_FILE = Path(__file__).with_name("franz_parisi_reference.json")
ETA_END = 60.0  # where q -> 1, eta diverges: beyond this a branch counts as ended


class Order(NamedTuple):
    """Order parameters of the counted w, as in the functional."""

    q: float
    t: float
    q_hat: float
    t_hat: float
    p_hat: float


class Point(NamedTuple):
    """One point of the curve: distance per weight, entropy in nats per weight, dphi/dd, and the saddle point."""

    distance: float
    entropy: float
    slope: float
    order: Order
    overlaps: Overlaps
    fields: Fields
    residual: float


def overlaps_of(q, t, p, overlap_ref):
    """From the overlaps to 1-q, A, B, g. The rounding of g, 1e-16, moves phi by 1e-16/(1-q)."""
    rest = (p - t) / (1 - overlap_ref)
    return Overlaps(1 - q, 1 - t / overlap_ref, 1 - rest, q - t**2 / overlap_ref - rest * (p - t))


def functional(order, p, ref, margin=0.0, refine=1.0, overlaps=None):
    """phi(q, t, q^, t^, p^; p), stationary or not. `overlaps` replaces q, t, p where their rounding matters."""
    overlaps = overlaps or overlaps_of(order.q, order.t, p, ref.overlap)
    eta = order.p_hat - order.t_hat
    fields = Fields(order.t_hat, np.sqrt(max(order.q_hat - order.t_hat**2 / ref.conjugate, 0.0)), eta)
    entropic = entropic_averages(fields, ref.conjugate, refine)
    energetic = energetic_averages(overlaps, ref, margin, refine)
    # G_S = E[sF] + E ln(1 + e^{-2sF}), E[sF] = eta + t^ (1-q~). The sum with -p p^ + t t^ is written in small terms:
    # p - t = (1-B)(1-q~); the last term vanishes when q~^ belongs to q~.
    one_minus_ref = 1 - ref.overlap
    one_minus_p = overlaps.loss_along * ref.overlap + overlaps.loss_across * one_minus_ref
    legendre = eta * one_minus_p + order.t_hat * (
        overlaps.loss_across * one_minus_ref + entropic.one_minus_ref - one_minus_ref
    )
    return legendre - order.q_hat * overlaps.one_minus_q / 2 + entropic.log_term + ref.alpha * energetic.log_h


def gradient(order, p, ref, margin=0.0, refine=1.0):
    """Derivatives of `functional` with respect to (q, t, q^, t^, p^) and p, by the equations at the top."""
    fields = Fields(order.t_hat, np.sqrt(max(order.q_hat - order.t_hat**2 / ref.conjugate, 0.0)), order.p_hat - order.t_hat)
    entropic = entropic_averages(fields, ref.conjugate, refine)
    energetic = energetic_averages(overlaps_of(order.q, order.t, p, ref.overlap), ref, margin, refine)
    q = 1 - entropic.overlaps.one_minus_q
    t = entropic.overlap_ref * (1 - entropic.overlaps.loss_along)
    return np.array(
        [
            (order.q_hat - ref.alpha * energetic.force_force) / 2,
            order.t_hat - ref.alpha * energetic.force_ref,
            (order.q - q) / 2,
            order.t - t,
            1 - entropic.one_minus_p - p,
            -order.p_hat + ref.alpha * energetic.boundary,
        ]
    )


def _mapped(fields, ref, margin, refine=1.0):
    """Overlaps from the fields, averages from the overlaps, and the fields (t^, sqrt(gamma)) that these imply."""
    entropic = entropic_averages(fields, ref.conjugate, refine)
    energetic = energetic_averages(entropic.overlaps, ref, margin, refine)
    t_hat = ref.alpha * energetic.force_ref
    variance = ref.alpha * energetic.force_force - t_hat**2 / ref.conjugate
    return entropic, energetic, t_hat, np.sign(variance) * np.sqrt(abs(variance))


def point_at(fields, ref, margin=0.0, refine=1.0, residual=0.0):
    """Entropy, slope and order parameters at fields that solve the saddle equations."""
    entropic, energetic, *_ = _mapped(fields, ref, margin, refine)
    overlaps, (t_hat, width, eta) = entropic.overlaps, fields
    one_minus_p = entropic.one_minus_p
    order = Order(
        1 - overlaps.one_minus_q,
        ref.overlap * (1 - overlaps.loss_along),
        width**2 + t_hat**2 / ref.conjugate,
        t_hat,
        eta + t_hat,
    )
    value = functional(order, 1 - one_minus_p, ref, margin, refine, overlaps)
    slope = 2 * (eta + t_hat - ref.alpha * energetic.boundary)
    return Point(*(float(a) for a in (one_minus_p / 2, value, slope)), order, overlaps, fields, residual)


def _solve_fields(start, equations):
    """Fields that solve the equations, and the largest residual; a step out of the domain is a residual of infinity."""

    def guarded(unknowns):
        if abs(unknowns[0]) > 1e3 or abs(unknowns[1]) > 200 or abs(unknowns[2]) > 2 * ETA_END:
            raise BranchEndedError(f"fields diverge: {unknowns}")
        return equations(Fields(*unknowns))

    try:
        found = root(guarded, start, method="hybr", options={"xtol": 1e-13, "eps": 1e-14})
    except BranchEndedError:
        return Fields(*start), np.inf
    t_hat, width, eta = found.x
    return Fields(t_hat, abs(width), eta), np.max(np.abs(found.fun))  # the sign of the width has no meaning


def maximum(ref, margin=0.0, refine=1.0):
    """Maximum of phi: p^ = t^ and p = t, where the counted w are typical solutions at their own margin."""
    if abs(ref.margin - margin) < 1e-12:  # same ensemble: t^ = q~^, gamma = g = 0
        return Fields(ref.conjugate, 0.0, 0.0)
    typical = equilibrium(ref.alpha, margin)

    def equations(fields):
        _, _, t_hat, width = _mapped(fields, ref, margin, refine)
        return [fields.t_hat - t_hat, fields.width - width, fields.eta]

    start = [0.9 * np.sqrt(ref.conjugate * typical.conjugate), 0.3 * np.sqrt(typical.conjugate), 0.0]
    fields, residual = _solve_fields(start, equations)
    if residual > 1e-10:
        raise BranchEndedError(f"no maximum found at {ref}, margin {margin}: residual {residual:.1e}")
    return fields


def _logit(distance):
    return np.log(distance / (1 - distance))


def _step_from(known, log_odds, ref, margin, refine):
    """One continuation step: secant predictor through the last two (log_odds, fields), then the solver."""
    (x0, f0), (x1, f1) = known[-2:]
    predicted = f1 + (f1 - f0) * (log_odds - x1) / (x1 - x0)
    predicted[1] = abs(predicted[1])
    distance = 1 / (1 + np.exp(-log_odds))

    def equations(fields):
        entropic, _, t_hat, width = _mapped(fields, ref, margin, refine)
        return [fields.t_hat - t_hat, fields.width - width, np.log(entropic.one_minus_p / (2 * distance))]

    if predicted[2] > ETA_END:
        return predicted, np.inf
    fields, residual = _solve_fields(predicted, equations)
    if abs(fields.eta - predicted[2]) > 0.5 + 0.3 * abs(predicted[2]):  # a jump, not a step
        residual = np.inf
    return np.array(fields), residual


def solve(ref, distances, margin=0.0, refine=1.0, start=None):
    """Points of the curve at the given distances (monotonic), by continuation in log d/(1-d).

    Starts at the maximum, or at `start` = (distance, fields). Raises BranchEndedError, with the last point that was
    reached, where the branch cannot be followed any further.
    """
    if start is None:
        fields = maximum(ref, margin, refine)
        start = entropic_averages(fields, ref.conjugate, refine).one_minus_p / 2, fields
    x_start, fields = _logit(start[0]), np.array(start[1])
    sign = np.sign(_logit(distances[-1]) - x_start) or 1.0
    # Only eta moves to first order at the maximum, at the rate -1/2 of independent spins; both in the small-d limit.
    known = [(x_start - 1e-3 * sign, fields + np.array([0, 0, 5e-4 * sign])), (x_start, fields)]
    step, points = 0.4, []
    for target in map(_logit, distances):
        while True:
            gap = target - known[-1][0]
            trial = known[-1][0] + np.sign(gap) * min(step, abs(gap))
            found, residual = _step_from(known, trial, ref, margin, refine)
            if residual < 1e-9:
                if trial != known[-1][0]:
                    known.append((trial, found))
                step = min(1.5 * step, 2.0)
                if trial == target:
                    break
            elif (step := step / 2) < 0.02:
                distance = 1 / (1 + np.exp(-known[-1][0]))
                raise BranchEndedError(f"the branch ends near d = {distance:.3e}, fields {known[-1][1]}")
        points.append(point_at(Fields(*map(float, found)), ref, margin, refine, float(residual)))
    return points


def small_distance_start(distance):
    """Start at d -> 0 with kt > k: independent spins, (d, fields); exact up to exp(-(kt-k)²/8d)."""
    return distance, Fields(0.0, 0.0, -_logit(distance) / 2)


# (alpha, reference margin, margin, distance, compared with mpmath?); a reference margin None is kappa_max(alpha).
# The last one is not connected to the maximum by replica-symmetric points: between d = 1.7e-4 and 1.8e-3 there are none
# (q -> 1 at both ends), and its branch is reached from d -> 0.
TABLE = (
    (0.05, None, 0.0, 0.4, False),
    (0.05, 0.5, 0.0, 0.01, True),
    (0.3, 0.2, 0.0, 0.5, False),
    (0.3, 0.0, 0.0, 0.01, True),
    (0.5, None, 0.0, 0.1, True),
    (0.5, None, 0.0, 0.005, False),
    (0.5, 0.02, 0.0, 0.001, True),
    (0.5, 0.02, 0.0, 0.0001, False),
    (0.6, None, 0.0, 0.0001, False),
    (0.7, None, 0.0, 0.002, False),
    (0.77, None, 0.0, 0.003, False),
    (0.83, None, 0.0, 0.3, False),
    (0.83, None, 0.0, 0.02, True),
    (0.83, 0.001, 0.0, 0.15, False),
    (0.4, 0.2, 0.1, 0.05, True),
    (0.5, 0.4, -0.2, 0.02, False),
    (0.8, 0.0157, 0.0, 0.0001, True),
)


def reference_row(alpha, reference_margin, margin, distance, with_mpmath):
    """One row of the table: the point, its change on doubling all nodes, and its distance to the mpmath value."""
    ref = reference(alpha, maximum_margin(alpha) if reference_margin is None else reference_margin)
    try:
        (point,) = solve(ref, [distance], margin)
        connected = True
    except BranchEndedError:
        (point,) = solve(ref, [distance], margin, start=small_distance_start((ref.margin - margin) ** 2 / 150))
        connected = False
    finer = point_at(point.fields, ref, margin, refine=2.0)
    row = {
        "alpha": alpha,
        "reference_margin": ref.margin,
        "reference_margin_is_maximum": reference_margin is None,
        "margin": margin,
        "distance": distance,
        "connected_to_maximum": connected,
        "entropy": point.entropy,
        "slope": point.slope,
        "reference": {"overlap": ref.overlap, "conjugate": ref.conjugate},
        "order": {name: float(value) for name, value in point.order._asdict().items()},
        "saddle_residual": point.residual,
        "doubling": {"entropy": abs(finer.entropy - point.entropy), "slope": abs(finer.slope - point.slope)},
    }
    if with_mpmath:
        exact = franz_parisi_mpmath.functional(point.order, 1 - 2 * distance, ref, margin)
        row["mpmath_difference"] = abs(float(exact - point.entropy))
    return row


def main():
    """Compute and write the table."""
    rows = []
    for case in TABLE:
        rows.append(reference_row(*case))
        print({key: rows[-1].get(key) for key in ("alpha", "distance", "entropy", "slope", "mpmath_difference")})
    text = json.dumps({"command": "python -m tests.oracles.franz_parisi", "rows": rows}, indent=1)
    REFERENCE_FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
