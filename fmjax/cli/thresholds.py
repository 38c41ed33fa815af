"""`fmjax threshold NAME`: critical loads and margins."""

import math
from typing import Any

import typer

import fmjax
from fmjax.cli.options import AlphaOption, ModelMarginOption, ReplicasOption, Setup
from fmjax.cli.running import STYLE, Document, plain, theory_command


def threshold_command() -> None:
    """A critical load or margin, with its error estimate.

    \b
    Typical solutions of margin K end at the load alpha_c(K), or, read the other
    way, at the margin kappa_max(alpha): there their entropy vanishes.

    \b
    The local entropy phi(d) counts solutions at distance d from a typical one,
    the reference (fmjax franz-parisi). As the margin of the reference grows
      kappa-min  above it, phi(d) is nowhere negative
      kappa-u    above it, phi(d) rises all the way up to its maximum
      alpha-u    the load from which on it does not, even at kappa_max

    \b
    Groups of solutions that lie close together (fmjax robust-ensemble) have at
    every distance
      robust-alpha-u   up to this load, more entropy the farther apart
      robust-capacity  up to this load, a positive entropy

    \b
    In every answer
      value     the threshold; error_estimate is an absolute bound on its error
      margin    of the solutions, or of the reference
      distance  of two typical solutions, or from the reference or between
                replicas, where it happens

    \b
    Example
      fmjax threshold kappa-max --alpha 0.5 --json
    """


def _answer(name: str, found: Any) -> tuple[Document, bool]:
    numbers = {key: plain(getattr(found, key)) for key in ("value", "error_estimate", "alpha", "margin", "distance")}
    return {"name": name, **numbers, "result": str(found.result)}, bool(found.converged)


def capacity(setup: Setup, margin: ModelMarginOption = None) -> tuple[Document, bool]:
    """alpha_c(K), the largest load with solutions.

    \b
    There the entropy of typical solutions of margin K vanishes; that of
    spherical weights has no bound there. A teacher's own solution does not
    count: at margin 0 this is perfect-generalisation.

    \b
    Example
      fmjax threshold capacity --margin 0.1
    """
    return _answer("capacity", fmjax.thresholds.capacity(setup.model(margin)))


def kappa_max(setup: Setup, alpha: AlphaOption) -> tuple[Document, bool]:
    """kappa_max(alpha), the largest possible margin.

    \b
    There the entropy of typical solutions at load alpha vanishes.

    \b
    Example
      fmjax threshold kappa-max --alpha 0.5
    """
    return _answer("kappa-max", fmjax.thresholds.kappa_max(setup.model(), alpha))


def kappa_min(setup: Setup, alpha: AlphaOption, margin: ModelMarginOption = None) -> tuple[Document, bool]:
    """kappa_min(alpha): above it phi(d) >= 0.

    \b
    The margin of the reference at which the interior minimum of the local
    entropy phi(d) of solutions of margin K touches zero.

    \b
    Example
      fmjax threshold kappa-min --alpha 0.5
    """
    return _answer("kappa-min", fmjax.thresholds.kappa_min(setup.model(margin), alpha))


def kappa_u(setup: Setup, alpha: AlphaOption, margin: ModelMarginOption = None) -> tuple[Document, bool]:
    """kappa_u(alpha): above it phi(d) is monotonic.

    \b
    The margin of the reference from which on the local entropy phi(d) of
    solutions of margin K rises all the way up to its maximum.

    \b
    Example
      fmjax threshold kappa-u --alpha 0.5
    """
    return _answer("kappa-u", fmjax.thresholds.kappa_u(setup.model(margin), alpha))


def alpha_u(setup: Setup, margin: ModelMarginOption = None) -> tuple[Document, bool]:
    """alpha'_U, the load where kappa_u = kappa_max.

    \b
    Up to it, phi(d) around a solution of largest margin rises monotonically. It
    takes a quarter of a minute, most of it compilation.

    \b
    Example
      fmjax threshold alpha-u
    """
    return _answer("alpha-u", fmjax.thresholds.alpha_u(setup.model(margin)))


def robust_alpha_u(setup: Setup, margin: ModelMarginOption = None) -> tuple[Document, bool]:
    """alpha_U of infinitely many replicas.

    \b
    Up to it, the entropy of solutions that lie close to each other grows with
    their distance; the alpha_U of large-deviation analyses.

    \b
    Example
      fmjax threshold robust-alpha-u
    """
    return _answer("robust-alpha-u", fmjax.thresholds.robust_alpha_u(setup.model(margin)))


def robust_capacity(setup: Setup, replicas: ReplicasOption, margin: ModelMarginOption = None) -> tuple[Document, bool]:
    """Load up to which replicas exist at any distance.

    \b
    Beyond it, there are no groups of Y solutions at some mutual distance.

    \b
    Example
      fmjax threshold robust-capacity --replicas 4
    """
    document, converged = _answer("robust-capacity", fmjax.thresholds.robust_capacity(setup.model(margin), replicas))
    return document | {"replicas": replicas if math.isfinite(replicas) else "inf"}, converged


def perfect_generalisation(setup: Setup) -> tuple[Document, bool]:
    """Load above which only the teacher is left.

    \b
    R is the overlap of a solution with the teacher.
    value     where the entropy of solutions with R < 1 falls to that of R = 1
    spinodal  where the branch R < 1 ends; in between it is metastable
    It needs --task teacher-student.

    \b
    Example
      fmjax threshold perfect-generalisation --task teacher-student
    """
    model = _learnable(setup)
    document, converged = _answer("perfect-generalisation", fmjax.thresholds.perfect_generalisation(model))
    end, found = _answer("spinodal", fmjax.thresholds.spinodal(model))
    document |= {"spinodal": end["value"], "spinodal_error_estimate": end["error_estimate"]}
    return document | {"spinodal_result": end["result"]}, converged and found


def spinodal(setup: Setup) -> tuple[Document, bool]:
    """Load up to which other solutions trap a search.

    \b
    There the branch of solutions with an overlap R < 1 with the teacher ends.
    Beyond perfect-generalisation it is metastable.
    It needs --task teacher-student.

    \b
    Example
      fmjax threshold spinodal --task teacher-student
    """
    return _answer("spinodal", fmjax.thresholds.spinodal(_learnable(setup)))


def _learnable(setup: Setup) -> "fmjax.Model":
    if not setup.teacher:
        raise ValueError("random labels cannot be generalised to: add --task teacher-student")
    return setup.model()


def add_to(app: typer.Typer) -> None:
    threshold = typer.Typer(**STYLE)
    threshold.callback()(threshold_command)
    theory_command(threshold, "capacity", capacity)
    theory_command(threshold, "kappa-max", kappa_max)
    theory_command(threshold, "kappa-min", kappa_min)
    theory_command(threshold, "kappa-u", kappa_u)
    theory_command(threshold, "alpha-u", alpha_u)
    theory_command(threshold, "robust-alpha-u", robust_alpha_u)
    theory_command(threshold, "robust-capacity", robust_capacity)
    theory_command(threshold, "perfect-generalisation", perfect_generalisation)
    theory_command(threshold, "spinodal", spinodal)
    app.add_typer(threshold, name="threshold")
