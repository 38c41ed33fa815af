"""`fmjax entropy` and `fmjax franz-parisi`: free entropies at given controls."""

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

import fmjax
from fmjax.cli.options import AlphaOption, ModelMarginOption, Setup, number, values_of
from fmjax.cli.running import Document, column, plain, theory_command

if TYPE_CHECKING:
    from fmjax.solvers import ClusterPoint


class Breaking(StrEnum):
    """Steps of replica-symmetry breaking of the counted weights."""

    NONE = "0"
    ONE = "1"


def entropy(setup: Setup, alpha: AlphaOption, margin: ModelMarginOption = None) -> tuple[Document, bool]:
    """Entropy of the typical solutions and their overlap.

    \b
    entropy    S(alpha, K), per weight, nats; negative: no solutions exist (of
               spherical weights: log of their share of the sphere, below 0)
    overlap    q of two typical solutions; conjugate: the field q^ that fixes it
    distance   (1 - q)/2, the Hamming distance of two typical solutions
    replicon   positive where the replica-symmetric answer is locally stable

    \b
    With --task teacher-student
    teacher_overlap       R of a solution with the teacher; teacher_conjugate: R^
    generalisation_error  probability that a solution mislabels a new pattern

    \b
    Examples
      fmjax entropy --alpha 0.5 --margin 0.1
      fmjax entropy --alpha 1.2 --task teacher-student
    """
    model = setup.model(margin)
    point = fmjax.solve(fmjax.Equilibrium(model), alpha=alpha)
    of_teacher = (
        {
            "teacher_overlap": point.order.R,
            "teacher_conjugate": point.order.R_hat,
            "generalisation_error": model.generalisation_error(point.order.R),
        }
        if setup.teacher
        else {}
    )
    document = {
        "alpha": alpha,
        "margin": plain(model.margin),
        "entropy": plain(point.entropy),
        "overlap": plain(point.order.q),
        "conjugate": plain(point.order.q_hat),
        "distance": plain(point.distance),
        **{name: plain(value) for name, value in of_teacher.items()},
        "replicon": plain(point.replicon),
        "residual": plain(point.residual),
        "error_estimate": plain(point.error_estimate),
        "steps": int(point.steps),
        "result": str(point.result),
    }
    return document, bool(point.converged)


_COLUMNS = ("entropy", "slope", "overlap", "cross_overlap", "replicon", "residual", "error_estimate")
_TEACHER_COLUMNS = ("teacher_overlap", "generalisation_error")
_ONE_STEP_COLUMNS = ("cluster_overlap", "block_size", "complexity", "internal_entropy", "shift")


def _one_step(point: "ClusterPoint") -> dict[str, Any]:
    return {
        "overlap": point.q0,
        "cluster_overlap": point.q1,
        "block_size": point.m,
        "complexity": point.complexity,
        "internal_entropy": point.internal_entropy,
        "shift": point.entropy - point.symmetric.entropy,
    }


def _solutions_of(point: "ClusterPoint", i: int) -> dict[str, Any]:
    """How the solutions of a row are organised, in words, and all one-step solutions at ``m = 1``."""
    columns = {name: getattr(point.roots, name)[i] for name in ("q1", "complexity", "internal_entropy", "stable")}
    solutions = [
        {"cluster_overlap": float(q1), "complexity": float(c), "internal_entropy": float(s), "stable": bool(stable)}
        for q1, c, s, stable in zip(*columns.values(), strict=True)
        if math.isfinite(q1)
    ]
    return {"phase": str(point.phase[i]), "solutions": solutions}


def franz_parisi(
    setup: Setup,
    ctx: typer.Context,
    alpha: AlphaOption,
    reference_margin: Annotated[
        str,
        typer.Option(metavar="KT|max", help="Margin of the reference; max: kappa_max(alpha), the largest there is."),
    ],
    margin: ModelMarginOption = None,
    distance: Annotated[
        list[float] | None,
        typer.Option(metavar="D", parser=number, help="Distance from the reference; give it again for more."),
    ] = None,
    distances: Annotated[
        str | None, typer.Option(metavar="START:STOP:COUNT", help="Evenly spaced distances, both ends included.")
    ] = None,
    rsb: Annotated[Breaking, typer.Option(help="Steps of replica-symmetry breaking.")] = Breaking.NONE,
) -> tuple[Document, bool]:
    """Local entropy: count solutions around a typical one.

    Distances are given one by one (--distance) or as a grid (--distances).

    \b
    entropy        phi(d): log of the number of solutions there, per weight, nats
    slope          d phi / d d
    overlap        q of two counted solutions of the same reference
    cross_overlap  t of a counted solution with another typical reference
    replicon       positive where the replica-symmetric answer is locally stable
    teacher_overlap, generalisation_error  as in `fmjax entropy`, of counted ones

    \b
    With --rsb 1, entropy is that of the one-step solution
    phase             whether counted solutions are isolated, in clusters, or none
    cluster_overlap   q1 of two counted solutions of the same cluster; overlap: q0
    block_size        m: below 1, replica symmetry is broken
    complexity        log of the number of clusters, per weight; negative: none
    internal_entropy  of the solutions in one of them
    shift             entropy minus the replica-symmetric one
    solutions         all one-step solutions at m = 1 but the frozen one (--json)

    \b
    Examples
      fmjax franz-parisi --alpha 0.5 --reference-margin 0.3 --distance 0.01 --distance 0.1
      fmjax franz-parisi --alpha 0.5 --reference-margin max --distances 0.005:0.4:80 --json
    """
    import numpy as np

    at = values_of("distance", distance or [], distances, ctx, "0.005:0.4:80")
    model = setup.model(margin)
    reference, reason = _reference_margin(reference_margin, model, alpha)
    names = _COLUMNS + (_TEACHER_COLUMNS if setup.teacher else ()) + (_ONE_STEP_COLUMNS if rsb is Breaking.ONE else ())
    words: list[dict[str, Any]] = [{} for _ in at]
    if reason is None:
        local = fmjax.FranzParisi(model, reference_margin=reference)
        if rsb is Breaking.ONE:
            point = fmjax.clusters(local, alpha=alpha, distance=np.asarray(at))
            curve, found = point.symmetric, _one_step(point)
            words = [_solutions_of(point, i) for i in range(len(at))]
        else:
            curve = point = fmjax.curve(local, alpha=alpha, distance=np.asarray(at))
            found = {"overlap": curve.order.q}
        found |= {
            "entropy": point.entropy,
            "slope": point.slope,
            "cross_overlap": curve.order.t,
            "replicon": curve.replicon,
            "residual": point.residual,
            "error_estimate": point.error_estimate,
        }
        if setup.teacher:
            found |= {"teacher_overlap": curve.order.R, "generalisation_error": model.generalisation_error(curve.order.R)}
        results, converged = point.result, bool(np.all(point.converged))
    else:
        found, results, converged = {}, [reason] * len(at), False
    columns = {name: column(found.get(name), len(at)) for name in names}
    rows = [
        {"distance": d, **{name: values[i] for name, values in columns.items()}, **words[i], "result": str(results[i])}
        for i, d in enumerate(at)
    ]
    document = {
        "rsb": int(rsb.value),
        "alpha": alpha,
        "margin": plain(model.margin),
        "reference_margin": plain(reference),
        "rows": rows,
    }
    return document, converged


def _reference_margin(asked: str, model: "fmjax.Model", alpha: float) -> tuple[float, str | None]:
    """The reference margin as a number and, where `max` could not be found, the reason."""
    if asked == "max":
        largest = fmjax.thresholds.kappa_max(model, alpha)
        reason = None if bool(largest.converged) else f"kappa_max({alpha:g}) was not found: {largest.result}"
        return float(largest.value), reason
    try:
        return number(asked), None
    except typer.BadParameter:
        raise ValueError(f"--reference-margin must be a number or max, not {asked!r}") from None


def add_to(app: typer.Typer) -> None:
    theory_command(app, "entropy", entropy)
    theory_command(app, "franz-parisi", franz_parisi)
