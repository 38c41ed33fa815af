"""Physics of the binary perceptron at finite N, without replicas, and its limit N -> infinity.

Up to N = 20 all 2^N weights are visited: the stability of w is a sum over its two halves, so that one pattern costs an
outer sum of two tables of 2^(N/2) numbers, and every further pattern only looks at the weights that are left. From it

    S_N      = (1/N) E ln Z                                        over instances with Z > 0,
    phi_N(d) = (1/N) [ E ln n_d - ln C(N, dN) ] - d ln d - (1-d) ln(1-d)    over instances and typical references,

n_d the number of solutions at distance dN from a solution w~ at margin kt, drawn uniformly. The number of weights at
distance dN is C(N, dN), smaller than its exponential rate by O(ln N/N): the second formula takes that out, and both go
to the replica result as 1/N. Patterns are Gaussian by default: the theory depends on their second moment only, and
with ±1 patterns stabilities lie on a lattice, which shifts margins by O(1/sqrt N) and makes phi_N alternate with the
parity of dN. What has no logarithm, an instance without solutions or a reference without a solution at the distance,
is left out and its fraction reported: it is exponentially rare in N at the alpha used here. Sizes 30 and 40, where
there are, sample both w~ and the fraction n_d / C(N, dN), which is not small yet: they pin the limit, which
dN = 2, 3, 4 flips alone leave open by 7e-4.

Statistical errors shrink about three-fold by control variates: the overlaps of the patterns, whose means are known
exactly, explain most of the fluctuations of ln Z.

    python -m tests.oracles.enumeration     writes enumeration_statistics.json again (about ten minutes)
"""

import json
from math import comb, log
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr

STATISTICS_FILE = Path(__file__).with_name("enumeration_statistics.json")
LARGEST_ENUMERATED = 20
REFERENCES_PER_INSTANCE = 16
REFERENCES_PER_LARGE_INSTANCE = 4
POOL, FLIPS = 65_536, 16_384


class Estimate(NamedTuple):
    """Mean, its standard error, and the fraction of the sample that had no value."""

    mean: float
    error: float
    fraction_without: float


def random_patterns(rng, count, size, kind="gaussian"):
    """I.i.d. patterns, shape (count, size), float32: the sums of ±1 entries are exact in it."""
    if kind == "gaussian":
        return rng.standard_normal((count, size), dtype=np.float32)
    return rng.choice(np.array([-1, 1], dtype=np.float32), size=(count, size))


def _signed_sums(entries):
    """Sums over j of ± entries[j], for all signs: bit j of the index says plus."""
    sums = np.zeros(1, dtype=entries.dtype)
    for entry in entries:
        sums = np.concatenate([sums - entry, sums + entry])
    return sums


def solutions(patterns, margin=0.0):
    """Indices of the weights with w·xi/sqrt N >= margin for all patterns, and their smallest stability.

    Bit i of an index is 1 where w_i = +1. The labels are all +1.
    """
    size = patterns.shape[1]
    half, scale = size // 2, np.float32(1 / np.sqrt(size))
    mask = (1 << half) - 1
    index, smallest = np.arange(1 << size, dtype=np.int32), np.full(1 << size, np.inf, dtype=np.float32)
    for number, pattern in enumerate(patterns * scale):
        low, high = _signed_sums(pattern[:half]), _signed_sums(pattern[half:])
        stability = np.add.outer(high, low).ravel() if number == 0 else low[index & mask] + high[index >> half]
        kept = np.flatnonzero(stability >= margin - 1e-6)  # a lattice point on the margin counts, however rounded
        index, smallest = index[kept], np.minimum(smallest[kept], stability[kept])
    return index, smallest


def weights_of(index, size):
    """Weights ±1 of an index, shape (..., size)."""
    return 2 * ((np.asarray(index)[..., None] >> np.arange(size)) & 1) - 1


def annealed_entropy(alpha, margin):
    """(1/N) ln E Z for Gaussian patterns, exact at any N: ln 2 + alpha ln H(margin)."""
    return np.log(2) + alpha * log_ndtr(-margin)


def annealed_entropy_binary(size, count, margin):
    """(1/N) ln E Z for ±1 patterns: the stability is a sum of N independent signs."""
    favourable = sum(comb(size, ups) for ups in range(size + 1) if (2 * ups - size) / np.sqrt(size) >= margin - 1e-6)
    return np.log(2) + count / size * (log(favourable) - size * log(2))


def control_variates(patterns):
    """Functions of the overlaps G of Gaussian patterns whose mean over instances is zero."""
    size = patterns.shape[1]
    overlaps = (patterns @ patterns.T).astype(float) / np.sqrt(size)
    pairs = overlaps[np.tril_indices(len(patterns), -1)]
    return [
        pairs.sum(),
        (pairs**2 - 1).sum(),
        pairs.sum() ** 2 - len(pairs),
        np.trace(overlaps) / np.sqrt(size) - len(patterns),
    ]


def estimate(values, controls, lost=None):
    """Mean by regression on the control variates; NaN marks an instance without a value.

    `lost` is the fraction of references without a value in each instance, where there are such.
    """
    present = np.isfinite(values)
    design = np.column_stack([np.ones(present.sum()), controls[present]])
    coefficients, *_ = np.linalg.lstsq(design, values[present], rcond=None)
    residual = values[present] - design @ coefficients
    error = residual.std(ddof=design.shape[1]) / np.sqrt(len(residual))
    return Estimate(float(coefficients[0]), float(error), float(np.mean(~present if lost is None else lost)))


def _mean_log_count(solution, references, size, rng):
    """Mean of ln n_d, d = 0..N, over at most 16 references with n_d > 0 (NaN: none has); the fraction with n_d = 0."""
    if not len(references):
        return np.full(size + 1, np.nan), np.ones(size + 1)
    chosen = rng.choice(references, size=min(REFERENCES_PER_INSTANCE, len(references)), replace=False)
    counts = np.stack([np.bincount(np.bitwise_count(solution ^ one), minlength=size + 1) for one in chosen])
    positive = (counts > 0).sum(axis=0)
    total = np.log(np.maximum(counts, 1)).sum(axis=0)
    return np.where(positive > 0, total / np.maximum(positive, 1), np.nan), 1 - positive / len(chosen)


def sample(size, alpha, reference_margins, instances, seed):
    """ln Z, shape (instances,); ln n_d and the fraction lost, each of shape (margins, instances, N+1); controls.

    The counted solutions have margin 0.
    """
    rng = np.random.default_rng([seed, size, round(1000 * alpha)])
    log_z = np.full(instances, np.nan)
    log_counts, lost = np.empty((2, len(reference_margins), instances, size + 1))
    controls = np.empty((instances, 4))
    for number in range(instances):
        patterns = random_patterns(rng, round(alpha * size), size)
        controls[number] = control_variates(patterns)
        solution, smallest = solutions(patterns)
        if len(solution):
            log_z[number] = log(len(solution))
        for which, margin in enumerate(reference_margins):
            references = solution[smallest >= margin]
            log_counts[which, number], lost[which, number] = _mean_log_count(solution, references, size, rng)
    return log_z, log_counts, lost, controls


def sample_large(size, alpha, reference_margins, distances, instances, seed):
    """ln n_d, shape (margins, distances, instances), fraction lost and controls at N too large to enumerate.

    A solution out of a fixed pool of random weights is a uniform solution, and the fraction of n_d in C(N, dN) is taken
    over a fixed set of random flips. The bias of the logarithm of a fraction f of n draws, -(1-f)/(2 n f), is removed.
    """
    rng = np.random.default_rng([seed, size, round(1000 * alpha)])
    pool = rng.choice(np.array([-1, 1], dtype=np.float32), size=(POOL, size))
    shuffled = np.argsort(rng.random((FLIPS, size)), axis=1)
    flips = [(shuffled < round(distance * size)).astype(np.float32) for distance in distances]
    log_counts = np.full((len(reference_margins), len(distances), instances), np.nan)
    lost = np.ones(log_counts.shape)
    controls = np.empty((instances, 4))
    for number in range(instances):
        patterns = random_patterns(rng, round(alpha * size), size)
        controls[number] = control_variates(patterns)
        smallest = (pool @ patterns.T).min(axis=1) / np.sqrt(size)
        for which, margin in enumerate(reference_margins):
            found = np.flatnonzero(smallest >= margin)
            if not len(found):
                continue
            chosen = rng.choice(found, size=min(REFERENCES_PER_LARGE_INSTANCE, len(found)), replace=False)
            aligned = pool[chosen, None, :] * patterns  # flipping w_i takes 2 w~_i xi_i off the stability
            stability = aligned.sum(axis=2)
            for place, flip in enumerate(flips):
                change = 2 * (flip @ aligned.reshape(-1, size).T).reshape(FLIPS, *stability.shape)
                fraction = (stability >= change).all(axis=2).mean(axis=0)
                lost[which, place, number] = np.mean(fraction == 0)
                if fraction.any():
                    fraction = fraction[fraction > 0]
                    logarithm = np.log(fraction) + (1 - fraction) / (2 * FLIPS * fraction)
                    total = log(comb(size, round(distances[place] * size)))
                    log_counts[which, place, number] = logarithm.mean() + total
    return log_counts, lost, controls


def finite_size_entropies(size, alpha, reference_margins, distances, instances, seed):
    """Estimates of S_N (only up to N = 20) and of phi_N(d), the latter in the order of margins, then distances."""
    row = {}
    if size <= LARGEST_ENUMERATED:
        log_z, log_counts, lost, controls = sample(size, alpha, reference_margins, instances, seed)
        row["entropy"] = estimate(log_z / size, controls)._asdict()
        columns = [round(distance * size) for distance in distances]
        log_counts, lost = (np.moveaxis(values, 2, 1)[:, columns] for values in (log_counts, lost))
    else:
        log_counts, lost, controls = sample_large(size, alpha, reference_margins, distances, instances, seed)
    row["local"] = []
    for which, margin in enumerate(reference_margins):
        for place, distance in enumerate(distances):
            rate = -distance * log(distance) - (1 - distance) * log(1 - distance)
            per_weight = (log_counts[which, place] - log(comb(size, round(distance * size)))) / size + rate
            one = estimate(per_weight, controls, lost[which, place])._asdict()
            row["local"].append({"reference_margin": margin, "distance": distance, **one})
    return row


def extrapolate(sizes, estimates):
    """Limit N -> infinity of a0 + a1/N + a2/N² (without a2 for three sizes) through the estimates, with its error.

    The error adds, in squares, the statistical one and the change of the limit when the smallest size is left out,
    which measures the terms of higher order.
    """
    inverse = 1 / np.asarray(sizes, dtype=float)
    means, errors = (np.array([one[name] for one in estimates]) for name in ("mean", "error"))

    def limit(first):
        powers = inverse[first:, None] ** np.arange(min(3, len(inverse) - 1))
        design = powers / errors[first:, None]
        covariance = np.linalg.inv(design.T @ design)
        return (covariance @ design.T @ (means[first:] / errors[first:]))[0], np.sqrt(covariance[0, 0])

    (value, error), (value_large, _) = limit(0), limit(1)
    return float(value), float(np.hypot(error, value - value_large))


class Limit(NamedTuple):
    """A limit N -> infinity: of the entropy where ``distance`` is None, otherwise of a local entropy."""

    value: float
    error: float
    reference_margin: float | None = None
    distance: float | None = None


def on_file():
    """Rows of the table that `main` wrote."""
    return json.loads(STATISTICS_FILE.read_text(encoding="utf-8"))["rows"]


def limits(alpha):
    """All limits at ``alpha``, from the table."""
    rows = [row for row in on_file() if row["alpha"] == alpha]
    enumerated = [row for row in rows if "entropy" in row]
    yield Limit(*extrapolate([row["size"] for row in enumerated], [row["entropy"] for row in enumerated]))
    for place, one in enumerate(rows[0]["local"]):
        limit = extrapolate([row["size"] for row in rows], [row["local"][place] for row in rows])
        yield Limit(*limit, one["reference_margin"], one["distance"])


SEED = 20211231
REFERENCE_MARGINS = (0.0, 0.3)
# alpha, instances by size, distances: alpha N and d N are integers at every size.
CASES = (
    (0.2, {10: 20_000, 15: 20_000, 20: 6_000, 30: 10_000, 40: 10_000}, (0.2, 0.4)),
    (1 / 3, {9: 20_000, 12: 20_000, 15: 20_000, 18: 12_000}, (1 / 3,)),
)


def statistics(case):
    """Rows of the table for one of the cases."""
    alpha, instances_by_size, distances = case
    for size, instances in instances_by_size.items():
        row = finite_size_entropies(size, alpha, REFERENCE_MARGINS, distances, instances, SEED)
        yield {"alpha": alpha, "size": size, "instances": instances, "seed": SEED, **row}


def main():
    """Compute and write the statistics."""
    rows = []
    for case in CASES:
        for row in statistics(case):
            rows.append(row)
            print(row["alpha"], row["size"], row["local"][0], flush=True)
    text = json.dumps({"command": "python -m tests.oracles.enumeration", "rows": rows}, indent=1)
    STATISTICS_FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
