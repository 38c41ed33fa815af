"""`fmjax threshold NAME`: critical loads and margins."""

from typing import Any

import typer

import fmjax
from fmjax.cli.options import AlphaOption, MarginOption, Setup
from fmjax.cli.running import STYLE, Document, plain, theory_command


def threshold_command() -> None:
    """A critical load or margin, with its error estimate.

    \b
    capacity   alpha_c(K), where the entropy of solutions vanishes
    kappa-max  the same line read the other way: largest margin at load alpha
    kappa-min  reference margin at which the minimum of phi(d) touches zero
    kappa-u    reference margin at which phi(d) becomes monotonic below its maximum
    alpha-u    load at which kappa-u reaches kappa-max
    perfect-generalisation  load above which only the teacher is left

    \b
    Example
      fmjax threshold kappa-max --alpha 0.5 --json
    """


def _answer(name: str, found: Any) -> tuple[Document, bool]:
    numbers = {key: plain(getattr(found, key)) for key in ("value", "error_estimate", "alpha", "margin", "distance")}
    return {"name": name, **numbers, "result": str(found.result)}, bool(found.converged)


def capacity(setup: Setup, margin: MarginOption = 0.0) -> tuple[Document, bool]:
    """alpha_c(K): load at which the entropy at margin K vanishes.

    \b
    Example
      fmjax threshold capacity --margin 0.1
    """
    return _answer("capacity", fmjax.thresholds.capacity(setup.model(margin)))


def kappa_max(setup: Setup, alpha: AlphaOption) -> tuple[Document, bool]:
    """kappa_max(alpha): the largest margin at which solutions exist.

    \b
    Example
      fmjax threshold kappa-max --alpha 0.5
    """
    return _answer("kappa-max", fmjax.thresholds.kappa_max(setup.model(), alpha))


def kappa_min(setup: Setup, alpha: AlphaOption) -> tuple[Document, bool]:
    """kappa_min(alpha): margin of the reference above which phi >= 0.

    \b
    There the interior minimum of the local entropy phi(d) touches zero.

    \b
    Example
      fmjax threshold kappa-min --alpha 0.5
    """
    return _answer("kappa-min", fmjax.thresholds.kappa_min(setup.model(), alpha))


def kappa_u(setup: Setup, alpha: AlphaOption) -> tuple[Document, bool]:
    """kappa_u(alpha): margin of the reference above which phi rises.

    \b
    From there on the local entropy phi(d) is monotonic up to its maximum.

    \b
    Example
      fmjax threshold kappa-u --alpha 0.5
    """
    return _answer("kappa-u", fmjax.thresholds.kappa_u(setup.model(), alpha))


def alpha_u(setup: Setup) -> tuple[Document, bool]:
    """alpha'_U: load at which kappa_u(alpha) = kappa_max(alpha).

    \b
    Up to it, phi(d) around a solution of largest margin rises monotonically.

    \b
    Example
      fmjax threshold alpha-u
    """
    return _answer("alpha-u", fmjax.thresholds.alpha_u(setup.model()))


def perfect_generalisation(setup: Setup) -> tuple[Document, bool]:
    """Load above which the teacher alone is left, with its spinodal.

    \b
    value     where the entropy of solutions with R < 1 falls to that of R = 1
    spinodal  where the branch R < 1 ends; in between it is metastable

    \b
    Example
      fmjax threshold perfect-generalisation --task teacher-student
    """
    if not setup.teacher:
        raise ValueError("random labels cannot be generalised to: add --task teacher-student")
    model = setup.model()
    document, converged = _answer("perfect-generalisation", fmjax.thresholds.perfect_generalisation(model))
    end, found = _answer("spinodal", fmjax.thresholds.spinodal(model))
    document |= {"spinodal": end["value"], "spinodal_error_estimate": end["error_estimate"]}
    return document | {"spinodal_result": end["result"]}, converged and found


def add_to(app: typer.Typer) -> None:
    threshold = typer.Typer(**STYLE)
    threshold.callback()(threshold_command)
    theory_command(threshold, "capacity", capacity)
    theory_command(threshold, "kappa-max", kappa_max)
    theory_command(threshold, "kappa-min", kappa_min)
    theory_command(threshold, "kappa-u", kappa_u)
    theory_command(threshold, "alpha-u", alpha_u)
    theory_command(threshold, "perfect-generalisation", perfect_generalisation)
    app.add_typer(threshold, name="threshold")
