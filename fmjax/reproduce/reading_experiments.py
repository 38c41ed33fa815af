"""What solutions that were found, by message passing and by gradient, say about the paper's statements."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.interpolate import CubicHermiteSpline, CubicSpline

from fmjax.reproduce.evidence import Absent, Curve, Found, Run, curve_of, phase, printed_error
from fmjax.reproduce.plotting import converged

PAPER_DATA = ("mnist-odd-even", "fashion-mnist", "cifar10")
_SMALL_UP_TO = 0.1  # distances

# Solutions that were found --------------------------------------------------------------------------------------------


def focusing_solves(run: Run) -> Found:
    """All instances of the experiment."""
    solved, size = run.figures["3"].solved.to_numpy(), int(run.figures["3"].experiment_size)
    return Found(f"{int(solved.sum())} of {len(solved)} instances of N = {size} solved", bool(solved.all()))


def _measured(dataset: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance, entropy and standard error of the mean, in order of distance, where every sample converged."""
    good = converged(dataset.measured_result).all(axis=0)
    if good.sum() < 2:
        raise Absent("belief propagation around the solutions did not converge on all samples")
    values = [dataset[name].to_numpy()[good] for name in ("mean_distance", "mean_entropy", "std_entropy")]
    distance, entropy, spread = (column[np.argsort(values[0])] for column in values)
    return distance, entropy, spread / np.sqrt(dataset.sizes["sample"])


def found_in_flat_regions(run: Run) -> Found:
    """The measured entropy is positive and grows with the distance."""
    distance, entropy, scatter = _measured(run.figures["3"])
    number = f"from {entropy[0]:.4f} at d = {distance[0]:.4f} to {entropy[-1]:.4f} at d = {distance[-1]:.3f}, rising"
    return Found(number, bool((np.diff(entropy) > 0).all() and entropy[0] > 2 * scatter[0]), error=printed_error(scatter))


class _Excess(NamedTuple):
    """Measured entropies minus those of a curve, and their standard errors, at small distances."""

    distance: np.ndarray
    value: np.ndarray
    scatter: np.ndarray

    @property
    def range(self) -> str:
        """Least and largest, as text."""
        places = (self.value.argmin(), self.value.argmax())
        low, high = (f"{self.value[at]:+.4f} (d = {self.distance[at]:.3f})" for at in places)
        return f"between {low} and {high} from the curve"


def _excess(dataset: xr.Dataset, curve: Curve) -> _Excess:
    distance, entropy, scatter = _measured(dataset)
    small = (distance < _SMALL_UP_TO) & (distance >= curve.distance[0])
    if not small.any():
        raise Absent("no distance below 0.1 was measured")
    theory = CubicHermiteSpline(curve.distance, curve.entropy, curve.slope)(distance[small])
    return _Excess(distance[small], entropy[small] - theory, scatter[small])


def above_kappa_max(run: Run) -> Found:
    """Measured entropies minus the curve at kappa_max, at small distances, in standard errors of the mean."""
    _, curve = phase(run, "kappa_max")
    excess = _excess(run.figures["3"], curve)
    below = excess.distance[excess.value < -2 * excess.scatter]
    reason = f"below it, by more than two standard errors, for d in [{below[0]:.3f}, {below[-1]:.3f}]" if len(below) else ""
    return Found(excess.range, not len(below), reason, printed_error(excess.scatter))


def committees(figure: str, least: float, most: float, beyond: float = 0.0) -> Callable[[Run], Found]:
    """Figures 6 and 7: measured entropies minus the curve lie in an interval, for ``beyond < d < 0.1``."""

    def read(run: Run) -> Found:
        dataset = run.figures[figure].isel(experiment=0)
        excess = _excess(dataset, curve_of(dataset, "the curve of the experiment", "experiment_"))
        chosen = excess.distance > beyond
        if not chosen.any():
            raise Absent(f"no distance between {beyond:g} and {_SMALL_UP_TO:g} was measured", excess.range)
        value, slack = excess.value[chosen], 2 * excess.scatter[chosen]
        solved, size, units = (dataset[name] for name in ("solved", "experiment_size", "experiment_units"))
        number = f"{excess.range}, N = {int(size)}, K = {int(units)}, {int(solved.sum())} of {solved.size} instances solved"
        holds = bool((value > least - slack).all() and (value < most + slack).all() and solved.all())
        return Found(number, holds, error=printed_error(excess.scatter))

    return read


def between_typical_and_densest(run: Run) -> Found:
    """Measured entropies between the curve at kappa_max and that of the best centres, for ``0.02 < d < 0.1``."""
    dataset = run.figures["ensembles"]
    largest, dense = dataset.isel(reference=-1), dataset.sel(ensemble="typical")
    known = converged(dense.centred_result)
    if known.sum() < 2:
        raise Absent("the curve of the best centres did not converge")
    excess = _excess(dataset, curve_of(largest, "the curve at κ_max"))
    best = dense.distance.to_numpy()[known], dense.centred_entropy.to_numpy()[known]
    chosen = (excess.distance > 0.02) & (excess.distance < best[0][-1])
    if not chosen.any():
        raise Absent("no distance between 0.02 and 0.1 was measured", excess.range)
    distance, above, slack = excess.distance[chosen], excess.value[chosen], 2 * excess.scatter[chosen]
    theory = CubicHermiteSpline(largest.distance, largest.entropy, largest.slope)(distance)
    below = CubicSpline(*best)(distance) - theory - above
    number = f"{above.min():.4f} to {above.max():.4f} above the one, {below.min():.4f} to {below.max():.4f} below the other"
    return Found(number, bool((above > -slack).all() and (below > -slack).all()), error=printed_error(excess.scatter))


# Networks -------------------------------------------------------------------------------------------------------------


def networks(read: Callable[[xr.Dataset], Found]) -> Callable[[Run], Found]:
    """A statement on each of the paper's data sets; on others its number is shown, and no verdict."""

    def all_of(run: Run) -> Found:
        found, missing = {}, [name for name in PAPER_DATA if name not in run.figures["8"].dataset.to_numpy()]
        for name in map(str, run.figures["8"].dataset.to_numpy()):
            part = run.figures["8"].sel(dataset=name)
            if "patterns" in part and bool(part.patterns.notnull().any()):
                found[name] = read(part.dropna("load", subset=["patterns"]))
            else:
                missing.append(name)
        number = "; ".join(f"{name}: {one.number}" for name, one in found.items()) or "–"
        verdicts = {name: one.holds for name, one in found.items() if name in PAPER_DATA and one.holds is not None}
        reasons = [f"{name}: {one.reason}" for name, one in found.items() if one.reason]
        if missing:
            reasons.append(f"not in this run: {', '.join(missing)}")
        if not verdicts:
            others = ", ".join(f"{name}, which bears it out" if one.holds else name for name, one in found.items())
            raise Absent(f"none of the paper's data sets is part of it{f' ({others})' if others else ''}", number)
        return Found(number, all(verdicts.values()), "; ".join(reasons))

    return all_of


def learn(part: xr.Dataset) -> Found:
    """A threshold inside the sweep, and errors that grow beyond it."""
    if str(part.result.item()) != "converged":
        return Found("no threshold", None, str(part.result.item()))
    beyond = part.mean_train_error.to_numpy()[part.patterns.to_numpy() > float(part.threshold)]
    number = f"all networks learn P = {float(part.threshold):g}; error {beyond[-1]:.2%} at P = {float(part.patterns[-1]):g}"
    return Found(number, bool((beyond > 0).all()))


def approach(part: xr.Dataset) -> Found:
    """The matched overlap grows with P, by more than twice its error, and stays below one half more than chance."""
    upto = int((part.patterns <= part.local_energy_patterns).sum())
    mean, error = (part[name].to_numpy()[:upto] for name in ("mean_overlap", "mean_overlap_error"))
    chance = float(part.mean_random_overlap)
    number = f"overlap {mean[0]:.3f} → {mean[-1]:.3f} ± {error[-1]:.3f} (of random networks {chance:.3f})"
    growth, scatter = mean[-1] - mean[0], float(np.hypot(error[0], error[-1]))
    return Found(number, bool(upto > 1 and growth > 2 * scatter and mean[-1] < 0.5 * (1 + chance)))


def flat(part: xr.Dataset) -> Found:
    """The slope of the local energy at f = 0, and its error, against the chord to half of all weights."""
    values, fractions = part.mean_local_energy.to_numpy(), part.fraction.to_numpy()
    chord = (values[-1] - values[0]) / (fractions[-1] - fractions[0])
    slope, error = float(part.slope), float(part.slope_error)
    number = f"slope at 0 {slope:.2f} ± {error:.2f}, of the chord {chord:.2f}"
    return Found(number, slope + 2 * error < 0.5 * chord)
