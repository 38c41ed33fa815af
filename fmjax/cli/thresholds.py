"""`fmjax threshold NAME`: critical points, a command for each row of `fmjax.quantities.THRESHOLDS`."""

import inspect
from collections.abc import Callable
from typing import Any

import typer

from fmjax.cli.describing import help_of
from fmjax.cli.options import Setup, loss_controls, option
from fmjax.cli.running import STYLE, Document, given, plain, theory_command
from fmjax.quantities import THRESHOLDS, Quantity
from fmjax.quantities.parts import MODEL


def threshold_command() -> None:
    """A critical load, margin or temperature.

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
    and around the best centres that exist
      centred-alpha-u  up to this load, more entropy the farther from them
      centred-fold     up to this load, one entropy at every distance

    \b
    Weights drawn with the probability exp(-beta loss) (fmjax thermodynamics) have
      inverse-temperature  the beta of a mean loss
      freezing             the beta of the least one: their entropy vanishes

    \b
    In every answer
      value     the threshold; error_estimate is an absolute bound on its error
      margin    of the solutions, of the reference, or of the loss
      distance  of two typical ones, or from the reference or between replicas,
                where it happens
      replicon  of typical ones: where it is negative replica symmetry is unstable

    \b
    Example
      fmjax threshold kappa-max --alpha 0.5 --json
    """


def _body(name: str, quantity: Quantity) -> Callable[..., tuple[Document, bool]]:
    """Of the command of a row: its parameters are the controls that are no part of the model."""

    def body(setup: Setup, **values: Any) -> tuple[Document, bool]:
        import numpy as np

        from fmjax.outcome import CONVERGED, describe

        setup.check(name, quantity)
        model = setup.model(values.get("margin"))
        if "loss" in values:
            values |= loss_controls(values.pop("loss"), values.pop("sharpness"))
        found = quantity.evaluate({**setup.controls(), **values, "margin": model.margin})
        unknown = {"replicon"} if np.isnan(found["replicon"]) else set()  # of a kind that has none
        printed = {*quantity.outputs, "alpha", "margin"} - unknown
        numbers = {key: plain(value) for key, value in found.items() if key in printed}
        others = {key: given(value) for key, value in values.items() if key not in numbers}
        result = describe(found["result"], quantity.sentences)
        return {"name": name, **numbers, **others, "result": result}, bool(found["result"] == CONVERGED)

    own = [option(control_name, control) for control_name, control in quantity.controls.items() if control_name not in MODEL]
    body.__signature__ = inspect.Signature(own)  # pyright: ignore[reportFunctionMemberAccess]
    body.__doc__ = help_of(quantity)
    return body


def add_to(app: typer.Typer) -> None:
    threshold = typer.Typer(**STYLE)
    threshold.callback()(threshold_command)
    for name, quantity in THRESHOLDS.items():
        theory_command(threshold, name, _body(name, quantity))
    app.add_typer(threshold, name="threshold")
