"""What the figures of the theory say about the paper's statements.

Every function reads converged points only: a number, its error, and whether the statement holds.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr
from scipy.interpolate import CubicHermiteSpline

from fmjax.reproduce.evidence import Absent, Found, Run, curve_of, phase, printed_error, whole
from fmjax.reproduce.plotting import converged

PAPER_ALPHA_U = (0.75, 0.77)  # "about 0.76"
PAPER_LARGE_DEVIATIONS = 0.77
_CLOSE = 0.005  # a distance that stands for "close"
_NO_ERRORS = 1e-5  # of all patterns: a reference that gets fewer of them wrong is as good as a solution
_WIDE = (0.02, 0.1)  # distances at which regions around minima of the cross-entropy are compared

# Typical solutions ----------------------------------------------------------------------------------------------------


def closer(run: Run) -> Found:
    """Figure 2: the typical distance falls with the margin."""
    whole(run.figures["2"], "result")
    distance = run.figures["2"].distance.to_numpy()
    ratio = distance[:, -1] / distance[:, 0]
    least, most = (float(run.figures["2"].alpha[place]) for place in (ratio.argmin(), ratio.argmax()))
    number = f"from κ = 0 to κ_max, d falls to {ratio.min():.0%} (α = {least:g}) … {ratio.max():.0%} (α = {most:g})"
    return Found(number, bool((np.diff(distance, axis=1) < 0).all()))


def rarer(run: Run) -> Found:
    """Figure 5: the entropy falls with the margin, to 0 at kappa_max."""
    whole(run.figures["5"], "result")
    entropy, error = run.figures["5"].entropy.to_numpy(), run.figures["5"].error_estimate.to_numpy()
    last = float(np.abs(entropy[:, -1]).max())
    holds = bool((np.diff(entropy, axis=1) < 0).all()) and last < 1e-9
    return Found(f"S falls at every step; at κ_max |S| ≤ {last:.0e}", holds, error=printed_error(error))


def largest_margin(run: Run) -> Found:
    """Figure 5 and the capacity: kappa_max falls, and changes sign at alpha_c = 0.833."""
    whole(run.figures["5"], "largest_margin_result")
    loads, margins = run.figures["5"].fine_alpha.to_numpy(), run.figures["5"].largest_margin.to_numpy()
    capacity = run.thresholds["capacity"]["value"]
    same = ((margins > 0) == (loads < capacity)).all()
    holds = bool((np.diff(margins) < 0).all() and same and abs(capacity - 0.833) < 5e-4)
    return Found(
        f"κ_max falls at every step; α_c = {capacity:.10f}",
        holds,
        error=printed_error(run.thresholds["capacity"]["error_estimate"]),
    )


# Around a reference ---------------------------------------------------------------------------------------------------


def ordered(run: Run) -> Found:
    """The three thresholds at alpha = 0.5."""
    rows = [run.thresholds[name] for name in ("kappa_min", "kappa_u", "kappa_max")]
    low, high, most = (row["value"] for row in rows)
    errors = [row["error_estimate"] for row in rows]
    return Found(f"0 < {low:.6f} < {high:.6f} < {most:.6f} at α = 0.5", 0 < low < high < most, error=printed_error(errors))


def isolated(run: Run) -> Found:
    """The branch ends before d = 0: the statement is read at its end, or as close to that as the entropy is known."""
    _, curve = phase(run, "isolated")
    # Slopes diverge there, and what they are known to is the error of the nearest points: no reason to doubt the entropy.
    known = np.abs(curve.entropy) > curve.error
    if not known.any():
        raise Absent("no point is known better than zero")
    value, at, error = (values[known.argmax()] for values in (curve.entropy, curve.distance, curve.error))
    return Found(
        f"φ = {value:.4f} at d = {at:.1e}, the smallest known with a solution", bool(value < 0), error=printed_error(error)
    )


def near(run: Run) -> Found:
    """Positive at the smallest distance; a curve that still rises towards d = 0 there leaves it open."""
    curves = {}
    for name in run.figures["3"].near_phase.to_numpy():
        margin = float(run.figures["3"].reference_margin.sel(phase=name))
        curves[margin] = curve_of(run.figures["3"].sel(near_phase=name), f"the curve at κ̃ = {margin:.3g}", "near_")
    positive = [margin for margin, curve in curves.items() if curve.entropy[0] > curve.error[0]]
    negative = {margin: curve for margin, curve in curves.items() if margin not in positive}
    at = max(curve.distance[0] for curve in curves.values())
    number = f"φ > 0 at d = {at:.0e} for {len(positive)} of {len(curves)} margins"
    if any(curve.slope[0] >= 0 for curve in negative.values()):
        return Found(number, holds=False)
    if negative:
        raise Absent(f"at κ̃ = {min(negative):.3g} φ < 0 at the smallest distance computed, and rises towards d = 0", number)
    return Found(f"{number}: κ̃ ≥ {min(positive):.3g}", holds=True)


def gap(run: Run) -> Found:
    """The entropy is negative somewhere."""
    margin, curve = phase(run, "negative")
    low = curve.entropy.argmin()
    number = f"κ̃ = {margin:.4f}: least φ = {curve.entropy[low]:.5f}, at d = {curve.distance[low]:.4f}"
    return Found(number, bool(curve.entropy[low] < -curve.error[low]), error=printed_error(curve.error[low]))


def not_monotonic(run: Run) -> Found:
    """The entropy is positive everywhere, and falls somewhere before its maximum."""
    margin, curve = phase(run, "not monotonic")
    low, falls = curve.entropy.argmin(), curve.falls()
    number = f"κ̃ = {margin:.4f}: least φ = {curve.entropy[low]:.5f}"
    if len(falls):
        number += f", falling for d in [{falls[0]:.1e}, {falls[-1]:.1e}]"
    holds = bool(curve.entropy[low] > curve.error[low] and len(falls))
    return Found(number, holds, error=printed_error(curve.error[low]))


def monotonic(run: Run) -> Found:
    """No curve above kappa_u falls before its maximum."""
    curves = dict(phase(run, name) for name in ("monotonic", "kappa_max"))
    least = min(curve.slope[: curve.entropy.argmax()].min() for curve in curves.values())
    named = " and ".join(f"{margin:.3f}" for margin in curves)
    holds = not any(len(curve.falls()) for curve in curves.values())
    error = max(curve.error.max() for curve in curves.values())
    return Found(f"κ̃ = {named}: least slope before the maximum {least:.3f}", holds, error=printed_error(error))


def same_maximum(run: Run) -> Found:
    """The maxima of the curves, between points by their slopes, against the entropy at margin 0 of figure 2."""
    typical = run.figures["2"]
    alpha = float(run.figures["3"].alpha)
    place = {"alpha": int(np.abs(typical.alpha.to_numpy() - alpha).argmin()), "fraction": 0}
    if abs(float(typical.alpha[place["alpha"]]) - alpha) > 1e-12 or not converged(typical.result.isel(place)):
        raise Absent(f"figure 2 has no entropy at α = {alpha}")
    entropy = float(typical.entropy.isel(place))
    worst = 0.0
    for name in run.figures["3"].phase.to_numpy():
        _, curve = phase(run, str(name))
        spline = CubicHermiteSpline(curve.distance, curve.entropy, curve.slope)
        stationary = spline.derivative().roots(extrapolate=False)
        highest = max(curve.entropy.max(), *spline(stationary[np.isfinite(stationary)]), -np.inf)
        worst = max(worst, abs(highest - entropy))
    # The spline between distances 0.02 apart is good to 1e-6 there.
    return Found(f"S = {entropy:.8f}; the maxima differ from it by at most {worst:.0e}", worst < 1e-5, error="1e-06")


def denser(run: Run) -> Found:
    """At one small distance, the entropy grows with the margin of the reference."""
    distances = run.figures["3"].distance.to_numpy()
    here = run.figures["3"].isel(distance=int(np.abs(np.log(distances / _CLOSE)).argmin()))
    whole(here, "result")
    order = np.argsort(here.reference_margin.to_numpy())
    values, errors = here.entropy.to_numpy()[order], here.error_estimate.to_numpy()
    number = f"φ(d = {float(here.distance):.4f}) grows from {values[0]:.4f} to {values[-1]:.4f}"
    return Found(number, bool((np.diff(values) > 0).all()), error=printed_error(errors))


def minima_are_flatter(run: Run) -> Found:
    """Minima of the cross-entropy without errors have more solutions around them than references of the largest margin."""
    dataset = run.figures["references"]
    names = [f"drawn_{name}" for name in ("entropy", "slope", "error_estimate", "result")]
    free = np.flatnonzero(dataset.minimum.to_numpy() & (dataset.drawn_error.to_numpy() < _NO_ERRORS))
    if not free.size:
        raise Absent("no minimum of the cross-entropy is free of errors")
    margin = curve_of(dataset.isel(reference=-1), "the curve at κ_max")
    least, most = _WIDE
    excess, errors = [], []
    for index in free:
        part = dataset[names].isel(drawn=index)
        around = curve_of(part.rename({name: name.removeprefix("drawn_") for name in names}), "that around a minimum")
        chosen = (around.distance > least) & (around.distance < most)
        largest = CubicHermiteSpline(margin.distance, margin.entropy, margin.slope)(around.distance[chosen])
        excess.append(around.entropy[chosen] - largest)
        errors.append(around.error[chosen])
    above, error = np.concatenate(excess), np.concatenate(errors)
    number = f"higher by {above.min():.4f} to {above.max():.4f} around {free.size} of them"
    return Found(number, bool((above > error).all()), error=printed_error(error))


# Largest margin -------------------------------------------------------------------------------------------------------


def _monotonic_loads(dataset: xr.Dataset) -> dict[float, np.ndarray]:
    """Distances at which each load's curve falls before its maximum."""
    loads = dataset.alpha.to_numpy()
    return {float(a): curve_of(dataset.isel(alpha=i), f"the curve at α = {a:g}").falls() for i, a in enumerate(loads)}


def loads(figure: str, threshold: str) -> Callable[[Run], Found]:
    """Figures 4, 6, 7: monotonic at small loads, not at large ones, with the threshold between, below the capacity."""

    def read(run: Run) -> Found:
        falls = _monotonic_loads(run.figures[figure])
        smooth, broken = ([load for load, where in falls.items() if bool(len(where)) is fallen] for fallen in (False, True))
        value, capacity = (run.thresholds[key]["value"] for key in (threshold, threshold.replace("alpha_u", "capacity")))
        number = f"monotonic up to α = {max(smooth, default=np.nan):g}, not from {min(broken, default=np.nan):g}"
        number += f"; α′_U = {value:.8f} < α_c = {capacity:.6f}"
        holds = bool(smooth and broken and max(smooth) <= value <= min(broken) and value < capacity)
        return Found(number, holds, error=printed_error(run.thresholds[threshold]["error_estimate"]))

    return read


def alpha_u(run: Run) -> Found:
    """The number of the paper, and where the slope is negative at the load that it names."""
    value, error = (run.thresholds["alpha_u"][key] for key in ("value", "error_estimate"))
    low, high = PAPER_ALPHA_U
    falls = _monotonic_loads(run.figures["4"])
    load = min(falls, key=lambda at: abs(at - (low + high) / 2))
    reason = f"the fold that decides lies at d = {run.thresholds['alpha_u distance']['value']:.4f}"
    if len(falls[load]):
        reason += f"; at α = {load:g} φ falls for d in [{falls[load][0]:.4f}, {falls[load][-1]:.4f}], and only there"
    return Found(f"{value:.10f}", low - error <= value <= high + error, reason, printed_error(error))


def below_large_deviations(run: Run) -> Found:
    """The difference to the published load."""
    value, error = (run.thresholds["alpha_u"][key] for key in ("value", "error_estimate"))
    number = f"{value:.6f}, that is {PAPER_LARGE_DEVIATIONS - value:.3f} below"
    return Found(number, value + error < PAPER_LARGE_DEVIATIONS, error=printed_error(error))


def phase_diagram(run: Run) -> Found:
    """The three lines where they were found, and none of kappa_u beyond alpha'_U."""
    data = run.figures["phase-diagram"]
    largest, end = converged(data.kappa_max_result), float(data.alpha_u)
    both = converged(data.kappa_min_result) & converged(data.kappa_u_result)
    if not both.any() or not largest.any() or str(data.alpha_u_result.item()) != "converged":
        raise Absent("one of the lines was not found")
    at = data.alpha.to_numpy()
    top = np.interp(at, data.fine_alpha.to_numpy()[largest], data.kappa_max.to_numpy()[largest])
    inside = (data.kappa_min.to_numpy() < data.kappa_u.to_numpy()) & (data.kappa_u.to_numpy() < top)
    beyond = at[converged(data.kappa_u_result) & (at > end)]
    number = f"so at {int((inside & both).sum())} of {int(both.sum())} loads, up to α = {at[both].max():g}; α′_U = {end:.6f}"
    return Found(
        number, bool(inside[both].all() and not len(beyond)), error=printed_error(float(data.alpha_u_error_estimate))
    )


# One step of replica-symmetry breaking --------------------------------------------------------------------------------


def symmetric_is_right(run: Run) -> Found:
    """Wherever the replica-symmetric entropy is positive: locally stable, no clusters, and the same with one step."""
    dataset = run.figures["one-step"]
    some = converged(dataset.result) & (dataset.symmetric_entropy.to_numpy() > 0)
    if not some.any():
        raise Absent("no point has a positive entropy")
    shift = np.abs(dataset.entropy - dataset.symmetric_entropy).to_numpy()[some].max()
    replicon = dataset.replicon.to_numpy()[some].min()
    clusters = int(dataset.stable_clusters.to_numpy()[some].sum())
    nearest = float(np.broadcast_to(dataset.distance, some.shape)[some].min())
    number = (
        f"{some.sum()} points, d ≥ {nearest:.0e}: φ moves by {shift:.0e}, {clusters} clusters, replicon ≥ {replicon:.2f}"
    )
    error = printed_error(dataset.error_estimate.to_numpy()[some])
    return Found(number, bool(shift == 0 and clusters == 0 and replicon > 0), error=error)
