"""One step of replica-symmetry breaking: what a point costs next to NumPy, and what a search over the phase diagram finds.

    python benchmarks/one_step.py [--only speed search starts] [--record]

speed   The same task for both programs, at given replica-symmetric order parameters: all solutions at m = 1 from a scan of
        64 fields and a refinement. NumPy is given the hand-derived form, q1 = E<tanh²>, q1^ = alpha E<(dlnH/dh)²> with means
        over the tilted measure of a block, the fields of the cavity, the same tabulation, and `scipy.optimize.brentq`.
search  References of 7 margins up to kappa_max at 8 loads, 16 distances from 1e-3 to 0.4: the phase of every point.
starts  Newton in all order parameters at m < 1, from many starts: what else there is than the branch from m = 1.
"""

import time
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import record
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import log_ndtr

import fmjax
from fmjax.models import LocalField
from fmjax.replica import FranzParisiControls, OneStep
from fmjax.solvers.continuation import position_of
from fmjax.solvers.one_step import ClusterSearch
from fmjax.solvers.outcome import CONVERGED

jax.config.update("jax_enable_x64", True)

ALPHA, MARGIN = 0.72, 0.05
DISTANCES = np.geomspace(1e-3, 0.4, 12)
HATS = np.geomspace(1e-3, 40.0, 64)
U, DU = np.polynomial.hermite_e.hermegauss(96)
DU = DU / np.sqrt(2 * np.pi)


def local(margin):
    """A functional whose reference margin is an input of the compiled program."""
    return fmjax.FranzParisi(fmjax.Perceptron(margin=jnp.asarray(0.0)), reference_margin=jnp.asarray(margin))


def controls_of(point):
    """Of a point of a curve."""
    return FranzParisiControls(point.alpha, point.distance, point.reference)


def fields_of(point):
    """``(t^ / sqrt(q~^), q^ - t^² / q~^, p^ - t^)``."""
    order, root = point.order, jnp.sqrt(point.reference.q_hat)
    return jnp.stack([order.t_hat / root, order.q_hat - (order.t_hat / root) ** 2, order.p_hat - order.t_hat])


class NumPyPoint:
    """All solutions at ``m = 1`` from the fields of the cavity and their probabilities."""

    def __init__(self, site, pattern, q0, q0_hat, alpha):
        self.site, self.pattern = (tuple(np.ravel(part) for part in pair) for pair in (site, pattern))
        self.q0, self.q0_hat, self.alpha = q0, q0_hat, alpha
        low, high = self.pattern[0].min(), self.pattern[0].max()
        scale = np.sqrt(1 - q0)
        stretched = np.linspace(np.arcsinh(low / scale), np.arcsinh(high / scale), 240)
        self.table, self.stretched = scale * np.sinh(stretched), stretched
        self.places = np.arcsinh(self.pattern[0] / scale)

    def q1(self, rise_hat):
        """``E<tanh²>``: in the tilted measure the field is shifted by ``+-rise_hat``."""
        field, probability = self.site
        up = 1 / (1 + np.exp(-2 * field))
        shifted = [np.tanh(field[:, None] + s * rise_hat + np.sqrt(rise_hat) * U) ** 2 @ DU for s in (1.0, -1.0)]
        return probability @ (up * shifted[0] + (1 - up) * shifted[1])

    def left(self, rise_hat):
        """``alpha E<(d ln H/dh)²> - q0^ - rise_hat``."""
        q1 = self.q1(rise_hat)
        width, spread = np.sqrt(1 - q1), np.sqrt(q1 - self.q0)
        # Nodes follow the tilted measure, whose peak lies at the deficit.
        deficit = np.maximum(-self.table, 0.0)[:, None]
        total = width**2 + spread**2
        peak = spread * deficit / total
        u = peak + U * np.where(deficit > 0, width / np.sqrt(total) * 1.5 + 0.3, 1.0)
        step = np.where(deficit > 0, width / np.sqrt(total) * 1.5 + 0.3, 1.0)
        log_measure = -0.5 * u**2 + 0.5 * U**2 + np.log(step)
        x = (self.table[:, None] + spread * u) / width
        log_h = log_ndtr(x)
        weight = DU * np.exp(log_measure + log_h - log_ndtr(self.table / np.sqrt(total))[:, None])
        slope = np.exp(-0.5 * x**2 - 0.5 * np.log(2 * np.pi) - log_h) / width
        mean = (weight * slope**2).sum(axis=1) / weight.sum(axis=1)
        return self.alpha * (self.pattern[1] @ CubicSpline(self.stretched, mean)(self.places)) - self.q0_hat - rise_hat

    def solutions(self):
        values = [self.left(hat) for hat in HATS]
        change = [i for i in range(len(HATS) - 1) if values[i] * values[i + 1] < 0]
        hats = [brentq(self.left, HATS[i], HATS[i + 1], xtol=1e-10) for i in change]
        return [self.q1(hat) for hat in hats]


def speed(out):
    functional = local(MARGIN)
    curve = fmjax.curve(functional, alpha=ALPHA, distance=DISTANCES)
    one = OneStep(functional)

    @jax.jit
    def cavity(point):
        """Fields on a weight and means of a pattern, each with their probabilities."""
        controls, (shared, own, eta) = controls_of(point), fields_of(point)
        zero, model, reference = jnp.zeros(()), functional.model, functional.equilibrium.model
        site = model.weights.local(LocalField(point.reference.q_hat, zero, shared, own, eta, zero), functional.nodes[2:])
        overlaps, _ = functional._site(shared, own, eta, zero, controls, None)
        pattern, at = functional._pattern(overlaps, controls, None)
        asked, allowed = model.unit_constraint, reference.unit_constraint
        x, w, _ = functional._nodes(at, allowed.edges(), asked.edges(), allowed.support())
        mean = at.a * x[:, None] + at.v * w
        pairs = (site.field, site.probability), (mean, pattern.counted.over.probability)
        return [(field, jnp.broadcast_to(probability, field.shape)) for field, probability in pairs]

    @jax.jit
    def solve(curve):
        def at(point):
            position = position_of(point.distance)
            return ClusterSearch()(one, point, fields_of(point), controls_of(point), position).roots.q1

        return jax.lax.map(at, curve)

    start = time.perf_counter()
    jax.block_until_ready(solve(curve))
    first = time.perf_counter() - start
    start = time.perf_counter()
    ours = np.asarray(jax.block_until_ready(solve(curve)))
    run = time.perf_counter() - start

    cavities = [jax.tree.map(lambda leaf, i=i: leaf[i], curve) for i in range(len(DISTANCES))]
    cavities = [(*jax.tree.map(np.asarray, cavity(c)), float(c.order.q), float(c.order.q_hat), ALPHA) for c in cavities]
    start = time.perf_counter()
    theirs = [NumPyPoint(*cavity).solutions() for cavity in cavities]
    baseline = time.perf_counter() - start
    both = [(abs(row[0] - other[0])) for row, other in zip(ours, theirs, strict=True) if other and np.isfinite(row[0])]
    out.say(f"{len(DISTANCES)} points; largest difference of 1 - q1 between the programs {max(both):.1e}")
    out.table("program", "s", "s per point", "ratio")
    for name, seconds in (("NumPy/SciPy", baseline), ("fmjax", run)):
        out.row(name, f"{seconds:.2f}", f"{seconds / len(DISTANCES):.3f}", f"{baseline / seconds:.2f}")
    out.say(f"compilation of fmjax: {first - run:.0f} s")


def search(out):
    distances = np.geomspace(1e-3, 0.4, 16)
    phases, stable, least = Counter(), 0, np.inf
    start = time.perf_counter()
    for alpha in (0.2, 0.4, 0.55, 0.65, 0.72, 0.76, 0.8, 0.825):
        largest = float(fmjax.thresholds.kappa_max(fmjax.Perceptron(), alpha).value)
        for fraction in (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 0.999):
            point = fmjax.clusters(local(fraction * largest), alpha=alpha, distance=distances)
            good = np.asarray(point.converged)
            phases.update(np.asarray(point.phase)[good])
            phases["(did not converge)"] += int(np.sum(~good))
            stable += int(np.asarray(point.roots.stable)[good].sum())
            some = good & (np.asarray(point.symmetric.entropy) >= 0)
            least = min(least, float(np.asarray(point.symmetric.replicon)[some].min(initial=np.inf)))
    out.say(f"{sum(phases.values())} points in {time.perf_counter() - start:.0f} s, compilation included")
    out.table("counted solutions", "points")
    for phase, count in phases.most_common():
        out.row(phase, count)
    out.say(f"stable clusters at m = 1: {stable}; smallest replicon where the entropy is not negative: {least:.3f}")


def starts(out):
    seeds = 16
    out.table(f"distinct solutions from {seeds} starts: q1, complexity, internal entropy", "alpha", "KT", "d", "m")
    for alpha, margin, d in ((0.75, 0.0, 0.01), (0.75, 0.0, 0.1), (0.75, 0.07, 0.01), (0.5, 0.2, 0.05)):
        functional = local(margin)
        one = OneStep(functional)
        point = fmjax.curve(functional, alpha=alpha, distance=np.array([d]))
        point = jax.tree.map(lambda leaf: leaf[0], point)
        fields, position = fields_of(point), position_of(point.distance)

        @jax.jit
        def solve(one, point, guess, m, position):
            found = ClusterSearch()._solve(one, guess, controls_of(point), m, position)
            q1, internal = 1.0 - found.gap, found.entropy - found.complexity / m
            return found.status, found.numbers[4], q1, found.complexity, internal

        shifts = np.exp(0.1 * np.random.default_rng(0).normal(size=(seeds, fields.size)))
        rises = np.exp(np.random.default_rng(2).uniform(-4, 3, seeds))
        guesses = np.column_stack([fields * shifts, rises])
        for m in (0.9, 0.6, 0.3):
            rows = [solve(one, point, guess, m, position) for guess in guesses]
            found = {
                (round(float(q1), 4), round(float(c), 5), round(float(s), 5))
                for status, q0, q1, c, s in rows
                if status == CONVERGED and q1 - q0 > 1e-3 and q1 < 1 - 1e-7
            }
            out.row(sorted(found) or "none", alpha, margin, d, m)


def main():
    parts = {"speed": speed, "search": search, "starts": starts}
    parser = record.parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    arguments = parser.parse_args()
    for name in arguments.only:
        with record.results(f"one_step {name}", arguments.record) as out:
            parts[name](out)


if __name__ == "__main__":
    main()
