"""Franz–Parisi curves of the binary perceptron in NumPy and SciPy: the baseline that fmjax is timed against.

Meant to be the best that can be done with these two libraries on one core at an accuracy of about 1e-8 in entropy and
slope, not a straw man. What makes it fast:

* The saddle equations are derived by hand, with T = tanh(sqrt(q~^) x), m = tanh F and forces f, f~ (Mills ratios over
  widths): q = E m², t = E T m, p = E s m; q^ = alpha E f², t^ = alpha E f f~. The overlaps are explicit in the fields:
  three unknowns are left instead of five, (t^, sqrt(q^ - t^²/q~^), p^ - t^), and nothing has to be differentiated.
* ln H and ln 2cosh are evaluated once per point, after convergence: the iteration needs only tanh and erfcx.
* The energetic integral runs over the distance s of the reference from its constraint, only as far as the counted
  weights feel theirs (a few widths sqrt(1-q)); nodes and weights are laid once per point, where the predictor is.
  The Gaussian y that is left has a small variance: as many Gauss–Hermite nodes as that takes, often two or four.
* `scipy.optimize.root` (hybr, Broyden updates) starts from an extrapolation along the curve and from the Jacobian that
  it ended with at the point before: a few residuals per point, no finite differences after the first point.

    python benchmarks/numpy_franz_parisi.py     prints milliseconds per point on one core
"""

import time
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, root
from scipy.special import erfcx, log_ndtr

REACH = 6.8  # standard deviations kept: 1e-11 of a Gaussian is left out
SQRT_TWO, SQRT_TWO_PI = np.sqrt(2.0), np.sqrt(2 * np.pi)
LEGENDRE = {count: np.polynomial.legendre.leggauss(count) for count in range(12, 65, 4)}
OPTIONS = {"xtol": 1e-8}
LARGEST_STEP = 0.7  # in ln d/(1-d), between solved points
ETA_END = 60.0  # p^ - t^ diverges where the branch ends


class Reference(NamedTuple):
    alpha: float
    margin: float
    overlap: float
    conjugate: float


def trapezoid(step):
    """Nodes and Gaussian weights on [-REACH, REACH]."""
    count = int(np.ceil(REACH / step))
    nodes = np.linspace(-REACH, REACH, 2 * count + 1)
    return nodes, np.exp(-(nodes**2) / 2) * (REACH / count / SQRT_TWO_PI)


def _hermite(count):
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return nodes, weights / SQRT_TWO_PI


# Gauss–Hermite nodes by the ratio of the Gaussian's width to that of the function: errors of 1e-9, by experiment.
HERMITE_COUNTS = ((1e-9, 1), (5e-3, 2), (0.03, 3), (0.08, 4), (0.15, 6), (0.3, 8))
HERMITE = [(ratio, _hermite(count)) for ratio, count in HERMITE_COUNTS]


def gaussian_rule(ratio, step):
    """Nodes and weights in y for a function of ratio * y, and the largest ratio that they are good for.

    Few Gauss–Hermite nodes, or a trapezoid of step/ratio.
    """
    for largest, rule in HERMITE:
        if ratio <= largest:
            return *rule, largest
    return *trapezoid(min(0.9, step / ratio)), 1.1 * ratio


def mills(x):
    """phi(x)/H(x); far below zero erfcx overflows to infinity, which is right."""
    return (SQRT_TWO / np.sqrt(np.pi)) / erfcx(x / SQRT_TWO)


def equilibrium(alpha, margin):
    """Overlap and conjugate of typical solutions: the smallest root of q = ∫Dx tanh²(sqrt(q^(q)) x)."""

    def conjugate(q):
        x, w = trapezoid(min(0.5, 0.5 * np.sqrt((1 - q) / max(q, 1e-9))))
        return alpha * (w @ mills((margin - np.sqrt(q) * x) / np.sqrt(1 - q)) ** 2) / (1 - q)

    def excess(q):
        root_conjugate = np.sqrt(conjugate(q))
        x, w = trapezoid(min(0.5, 0.4 / root_conjugate))
        return w @ np.tanh(root_conjugate * x) ** 2 - q

    low = high = 0.0
    while (gap := excess(high)) > 0:
        low, high = high, high + max(gap, 0.01)  # below the root q + excess(q) increases towards it
    q = brentq(excess, low, high, xtol=1e-12, rtol=1e-12)
    return q, conjugate(q)


class Rule:
    """Nodes and weights of all integrals, laid around given fields and held while the fields are solved for."""

    def __init__(self, ref, margin, fields):
        self.ref, self.margin = ref, margin
        root_ref = np.sqrt(ref.conjugate)
        # The poles of the hyperbolic tangents limit the steps: iπ/2 over the slope of the argument.
        x, w = trapezoid(min(0.8, 0.37 / max(root_ref, abs(fields[0]) / root_ref)))
        self.y, self.weight_y, self.largest_width = gaussian_rule(abs(fields[1]), 0.38)
        self.x_over_root, self.tanh = x / root_ref, np.tanh(root_ref * x)
        self.plus = w * (1 + self.tanh)  # s = +1; the measure is invariant under (x, y, s) -> -(x, y, s)
        along, across = self.plus * self.tanh, self.plus * (1 - self.tanh)
        self.ref_overlap, self.ref_rest = along.sum(), across.sum()
        self.projections = np.stack([self.plus, along / self.ref_overlap, across / self.ref_rest])
        self._lay_energetic(*self.overlaps(fields)[1:])

    def _lay_energetic(self, one_minus_q, along, across, spread):
        """In s from the reference's constraint to where the counted weights do not feel theirs any more."""
        width, root_ref, root_rest = np.sqrt(one_minus_q), np.sqrt(self.ref_overlap), np.sqrt(self.ref_rest)
        self.v, self.weight_v, self.largest_ratio = gaussian_rule(np.sqrt(spread) / width, 0.7)
        x, w = trapezoid(min(0.6, root_rest / root_ref))
        theta = (self.ref.margin - root_ref * x) / root_rest
        start = np.maximum(0.0, -REACH - theta)
        tail = np.where(theta > 0, np.minimum(REACH, 22 / np.maximum(theta, 1e-9)), REACH - theta)
        slope = (1 - across) * root_rest
        at_boundary = (1 - across) * self.ref.margin + root_ref * (across - along) * x
        end = tail
        if slope > 1e-3 * width:  # h grows with s: beyond a few widths past h = k nothing is felt
            end = np.minimum(tail, (self.margin - at_boundary + REACH * (width + np.sqrt(spread))) / slope)
        kept = end > start + 1e-6 * width
        self.empty = not kept.any()
        if self.empty:
            return
        x, w, theta, start, length = x[kept], w[kept], theta[kept], start[kept], (end - start)[kept]
        widths = np.max(length[np.abs(x) < 4] if np.any(np.abs(x) < 4) else length) * slope / width
        node, weight = LEGENDRE[int(min(64, max(12, 4 * np.ceil((8 + 0.9 * widths) / 4))))]
        s = start[:, None] + length[:, None] * (0.5 + 0.5 * node)
        self.x, self.s = root_ref * x, root_rest * s
        force_ref = mills(theta)
        weight = (0.5 * w * length * force_ref)[:, None] * weight * np.exp(-s * (theta[:, None] + s / 2))
        self.weights = np.stack([weight.ravel(), (weight * (force_ref / root_rest)[:, None]).ravel()])
        self.weight_boundary = w * force_ref / root_rest

    def overlaps(self, fields):
        """1-p, 1-q, A = 1 - t/q~, B = 1 - (p-t)/(1-q~) and g, each without cancellation."""
        t_hat, width, eta = fields
        loss = 1.0 - np.tanh((t_hat * self.x_over_root + eta)[:, None] + width * self.y)
        first, second = loss @ self.weight_y, (loss * loss) @ self.weight_y
        one_minus_p, along, across = self.projections @ first
        rest = first - along * self.tanh - across * (1 - self.tanh)
        spread = self.plus @ (second - first * first + rest * rest)
        return one_minus_p, 2 * one_minus_p - self.plus @ second, along, across, max(spread, 0.0)

    def arguments(self, overlaps, s):
        """(k - h)/sqrt(1-q) at the nodes (x s, y)."""
        _, one_minus_q, along, across, spread = overlaps
        scale = 1 / np.sqrt(one_minus_q)
        fixed = ((self.margin - (1 - across) * self.ref.margin) - (across - along) * self.x) * scale
        return (fixed[:, None] - ((1 - across) * scale) * s).reshape(-1, 1) - (np.sqrt(spread) * scale) * self.v

    def outgrown(self, fields):
        """Whether the nodes are too few for these fields."""
        _, one_minus_q, _, _, spread = self.overlaps(fields)
        return abs(fields[1]) > self.largest_width or spread > self.largest_ratio**2 * one_minus_q

    def residual(self, fields, log_distance):
        """How far t^ and sqrt(gamma) are from those that their overlaps imply, and ln d from its target."""
        overlaps = self.overlaps(fields)
        force_force = force_ref = 0.0
        if not self.empty:
            force = mills(self.arguments(overlaps, self.s))
            force_force = self.weights[0] @ ((force * force) @ self.weight_v) / overlaps[1]
            force_ref = self.weights[1] @ (force @ self.weight_v) / np.sqrt(overlaps[1])
        t_hat = self.ref.alpha * force_ref
        variance = self.ref.alpha * force_force - t_hat**2 / self.ref.conjugate
        root_variance = np.sqrt(variance) if variance > 0 else -np.sqrt(-variance)
        miss = np.log(max(overlaps[0], 1e-300) / 2) - log_distance
        return np.array([fields[0] - t_hat, fields[1] - root_variance, miss])

    def entropy_and_slope(self, fields):
        """phi, and dphi/dd = 2 (p^ - alpha E_x f~ E_y f|_{s = 0}), at a solution."""
        t_hat, width, eta = fields
        overlaps = self.overlaps(fields)
        one_minus_p, one_minus_q, _, across, _ = overlaps
        log_h = boundary = 0.0
        if not self.empty:
            log_h = self.weights[0] @ (log_ndtr(-self.arguments(overlaps, self.s)) @ self.weight_v)
            force = mills(self.arguments(overlaps, np.zeros((len(self.x), 1)))) @ self.weight_v
            boundary = self.weight_boundary @ force / np.sqrt(one_minus_q)
        field = (t_hat * self.x_over_root + eta)[:, None] + width * self.y
        log_term = self.plus @ (np.logaddexp(0.0, -2 * field) @ self.weight_y)
        legendre = eta * one_minus_p + t_hat * across * self.ref_rest
        conjugate = width**2 + t_hat**2 / self.ref.conjugate
        entropy = legendre - conjugate * one_minus_q / 2 + log_term + self.ref.alpha * log_h
        return entropy, 2 * (eta + t_hat - self.ref.alpha * boundary)


def _root(rule, start, log_distance, jacobian=None):
    known = None if jacobian is None else lambda *_: jacobian
    return root(rule.residual, start, (log_distance,), "hybr", known, options=OPTIONS)


def solve_fields(ref, margin, start, log_distance, jacobian):
    """Fields that solve the saddle equations at a distance, last Jacobian, nodes, and largest residual."""
    for _ in range(4):
        rule = Rule(ref, margin, start)
        found = _root(rule, start, log_distance, jacobian)
        if jacobian is not None and np.max(np.abs(found.fun)) > 1e-8:  # the Jacobian was too old
            found = _root(rule, start, log_distance)
        upper = np.zeros((3, 3))
        upper[np.triu_indices(3)] = found.r
        start, jacobian = found.x, found.fjac.T @ upper
        if not rule.outgrown(start):
            break
    return start, jacobian, rule, np.max(np.abs(found.fun))


def maximum(ref, margin):
    """Distance and fields of the maximum: p^ = t^, the counted weights are typical at their own margin."""
    _, conjugate = equilibrium(ref.alpha, margin)
    if ref.margin == margin:
        fields = np.array([ref.conjugate, 0.0, 0.0])
    else:
        fields = np.array([0.9 * np.sqrt(ref.conjugate * conjugate), 0.1 * np.sqrt(conjugate), 0.0])
        for _ in range(2):  # the second time on nodes laid at the solution
            rule = Rule(ref, margin, fields)
            fields[:2] = root(lambda two, rule: rule.residual([*two, 0.0], 0.0)[:2], fields[:2], (rule,), tol=1e-9).x
    return Rule(ref, margin, fields).overlaps(fields)[0] / 2, fields


def _extrapolate(known, x):
    """Fields at x by the polynomial through the last five points; at the maximum only eta moves, like -x/2."""
    if len(known) == 1:
        return known[0][1] - np.array([0.0, 0.0, 0.5 * (x - known[0][0])])
    points = known[-5:]
    weights = [np.prod([(x - xj) / (xi - xj) for xj, _ in points if xj != xi]) for xi, _ in points]
    return sum(weight * fields for weight, (_, fields) in zip(weights, points, strict=True))


def _follow(ref, margin, known, targets):
    """Entropies and slopes at the targets in x = ln d/(1-d), continued from the maximum; NaN where the branch ended."""
    values = np.full((len(targets), 2), np.nan)
    known, jacobian, step = [known], None, LARGEST_STEP
    for place, target in enumerate(targets):
        while known[-1][0] != target:
            gap = target - known[-1][0]
            x = target if abs(gap) <= step else known[-1][0] + np.copysign(step, gap)
            log_distance = -np.logaddexp(0.0, -x)
            start = _extrapolate(known, x)
            miss = np.inf
            if abs(start[2]) < ETA_END:
                fields, next_jacobian, rule, miss = solve_fields(ref, margin, start, log_distance, jacobian)
            if miss > 1e-8 or abs(fields[2] - start[2]) > 0.5 + 0.3 * abs(start[2]):
                if (step := step / 2) < 0.02:
                    return values
                continue
            known, jacobian, step = [*known[-4:], (x, fields)], next_jacobian, min(1.5 * step, LARGEST_STEP)
        if len(known) == 1:
            rule = Rule(ref, margin, known[0][1])
        values[place] = rule.entropy_and_slope(known[-1][1])
    return values


def solve_curve(alpha, reference_margin, distances, margin=0.0):
    """Entropies and slopes at the distances, in any order; NaN where the branch from the maximum does not reach."""
    ref = Reference(alpha, reference_margin, *equilibrium(alpha, reference_margin))
    distances = np.asarray(distances, dtype=float)
    largest, fields = maximum(ref, margin)
    x_maximum, x = np.log(largest / (1 - largest)), np.log(distances / (1 - distances))
    result = np.empty((len(x), 2))
    down = np.flatnonzero(x <= x_maximum)
    down, up = down[np.argsort(-x[down])], np.flatnonzero(x > x_maximum)
    up = up[np.argsort(x[up])]
    for order in (down, up):
        result[order] = _follow(ref, margin, (x_maximum, fields), x[order])
    return result[:, 0], result[:, 1]


def solve_grid(points, margin=0.0):
    """Entropies and slopes at rows (alpha, reference margin, distance): curve by curve."""
    points = np.asarray(points, dtype=float)
    values = np.empty((len(points), 2))
    for alpha, reference_margin in {tuple(row) for row in points[:, :2].tolist()}:
        rows = np.flatnonzero((points[:, 0] == alpha) & (points[:, 1] == reference_margin))
        values[rows] = np.transpose(solve_curve(alpha, reference_margin, points[rows, 2], margin))
    return values[:, 0], values[:, 1]


def main():
    """Time a grid of 2,000 points: 20 curves of 100 distances between 1e-4 and 1/2."""
    curves = [(alpha, share) for alpha in (0.1, 0.3, 0.5, 0.7) for share in (1.0, 0.8, 0.6, 0.4, 0.2)]
    largest = {0.1: 2.21427, 0.3: 0.895391, 0.5: 0.418062, 0.7: 0.136761}  # kappa_max, rounded down
    distances = np.geomspace(1e-4, 0.5, 100)
    points = [(alpha, share * largest[alpha], distance) for alpha, share in curves for distance in distances]
    start = time.perf_counter()
    entropies, _ = solve_grid(points)
    seconds = time.perf_counter() - start
    solved = np.isfinite(entropies).sum()
    print(f"{len(points)} points, {solved} solved, {1e3 * seconds / len(points):.3f} ms per point")


if __name__ == "__main__":
    main()
