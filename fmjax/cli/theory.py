"""`fmjax entropy`, `fmjax thermodynamics` and `fmjax franz-parisi`: free entropies at given controls."""

import math
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

import fmjax
from fmjax.cli.describing import filled, listed
from fmjax.cli.options import (
    AlphaOption,
    BetaOption,
    LossMarginOption,
    LossOption,
    ModelMarginOption,
    Setup,
    SharpnessOption,
    loss_controls,
    number,
    refuse,
    values_of,
)
from fmjax.cli.running import Document, column, given, plain, theory_command
from fmjax.names import Loss
from fmjax.quantities import QUANTITIES

if TYPE_CHECKING:
    from fmjax.solvers import ClusterPoint


class Breaking(StrEnum):
    """Steps of replica-symmetry breaking of the counted weights."""

    NONE = "0"
    ONE = "1"


def entropy(setup: Setup, alpha: AlphaOption, margin: ModelMarginOption = None) -> tuple[Document, bool]:
    """Entropy of the typical solutions and their overlap.

    \b
    {outputs}

    \b
    The entropy of spherical weights is that of their share of the sphere, < 0.
    What is said of a teacher is there with --task teacher-student.

    \b
    Examples
      fmjax entropy --alpha 0.5 --margin 0.1
      fmjax entropy --alpha 1.2 --task teacher-student
    """
    document, converged = _at_a_point(setup, "entropy", {"alpha": alpha, "margin": setup.model(margin).margin})
    return document | {"steps": int(document["steps"])}, converged


def thermodynamics(
    setup: Setup,
    alpha: AlphaOption,
    loss: LossOption,
    beta: BetaOption,
    sharpness: SharpnessOption = None,
    margin: LossMarginOption = 0.0,
) -> tuple[Document, bool]:
    """Energy and entropy of weights drawn with a loss.

    Their probability is exp(-beta loss), the loss that of all patterns together:

    \b
    temperature    1 for a pattern below the margin K, else 0
    hinge          what a pattern lacks of the margin K
    cross-entropy  ln(1 + exp(-G (stability - K))), of sharpness G
    power          -ln(stability - K), of patterns that are all above the margin K

    \b
    {outputs}

    \b
    Examples
      fmjax thermodynamics --alpha 0.5 --loss cross-entropy --sharpness 4 --beta 20
      fmjax thermodynamics --alpha 1.2 --loss temperature --beta 2
    """
    chosen = loss_controls(loss, sharpness) | {"beta": beta}
    return _at_a_point(setup, "thermodynamics", {"alpha": alpha, "margin": margin} | chosen)


def _at_a_point(setup: Setup, name: str, values: dict[str, Any]) -> tuple[Document, bool]:
    """The answer of a quantity that is one number for each of its outputs, after what was asked for."""
    from fmjax.outcome import CONVERGED, describe

    quantity = QUANTITIES[name]
    setup.check(name, quantity)
    found = quantity.evaluate(setup.controls() | values)
    status = found.pop("result")
    numbers = {key: plain(value) for key, value in setup.shown(found).items()}
    asked = {key: given(value) for key, value in values.items()}
    return asked | numbers | {"result": describe(status, quantity.sentences)}, bool(status == CONVERGED)


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
        str | None,
        typer.Option(metavar="KT|max", help="Margin of the reference; max: kappa_max(alpha), the largest there is."),
    ] = None,
    reference_loss: Annotated[
        Loss | None, typer.Option(help="Loss, of margin 0, that the reference is drawn with at --beta instead.")
    ] = None,
    beta: BetaOption = None,
    sharpness: SharpnessOption = None,
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

    The reference is a typical solution of a margin (--reference-margin), or weights drawn with a loss at an inverse
    temperature (--reference-loss, --beta), which may get patterns wrong (fmjax thermodynamics).

    Distances are given one by one (--distance) or as a grid (--distances).

    \b
    {outputs}

    \b
    With --rsb 1
    {one_step}
    solutions          all one-step solutions at m = 1 but the frozen one (--json)

    What is said of a teacher is there with --task teacher-student, but not around weights drawn with a loss.

    \b
    Examples
      fmjax franz-parisi --alpha 0.5 --reference-margin 0.3 --distance 0.01 --distance 0.1
      fmjax franz-parisi --alpha 0.5 --reference-margin max --distances 0.005:0.4:80 --json
      fmjax franz-parisi --alpha 0.5 --reference-loss cross-entropy --beta 20 --distance 0.1
    """
    import numpy as np

    from fmjax.outcome import CONVERGED, describe

    at = values_of("distance", distance or [], distances, ctx, "0.005:0.4:80")
    model = setup.model(margin)
    reason, reference = None, {}
    if reference_loss is None:
        refuse("--beta and --sharpness are those of a --reference-loss", beta is not None, sharpness is not None)
        quantity = QUANTITIES["clusters" if rsb is Breaking.ONE else "franz-parisi"]
        setup.check(f"franz-parisi --rsb {rsb}", quantity)
        reference["reference_margin"], reason = _reference_margin(reference_margin, model, alpha)
    else:
        refuse("give either --reference-margin or --reference-loss, not both", reference_margin is not None)
        refuse("--reference-loss needs its inverse temperature, --beta", beta is None)
        refuse("--rsb 1 is around a reference of a margin: give --reference-margin", rsb is Breaking.ONE)
        quantity = QUANTITIES["franz-parisi-loss"]
        setup.check("franz-parisi --reference-loss", quantity)
        reference |= loss_controls(reference_loss, sharpness) | {"beta": beta}
    words: list[dict[str, Any]] = [{} for _ in at]
    if reason is None:
        if rsb is Breaking.ONE:
            from fmjax.quantities.solved import read_one_step

            local = fmjax.FranzParisi(model, **reference)
            point = fmjax.clusters(local, alpha=alpha, distance=np.asarray(at))
            found = read_one_step(model, point)
            words = [_solutions_of(point, i) for i in range(len(at))]
        else:
            asked = {"alpha": alpha, "margin": model.margin, **reference, "distance": np.asarray(at)}
            found = quantity.evaluate(setup.controls() | asked)
        status = found["result"]
        results, converged = describe(status, quantity.sentences), bool(np.all(status == CONVERGED))
    else:
        found, results, converged = {}, [reason] * len(at), False
    numbers = [name for name, output in quantity.outputs.items() if output.dtype == "float64"]
    columns = {name: column(found.get(name), len(at)) for name in setup.shown(dict.fromkeys(numbers))}
    rows = [
        {"distance": d, **{name: values[i] for name, values in columns.items()}, **words[i], "result": str(results[i])}
        for i, d in enumerate(at)
    ]
    document = {
        "rsb": int(rsb.value),
        "alpha": alpha,
        "margin": plain(model.margin),
        **{("reference_loss" if name == "loss" else name): given(value) for name, value in reference.items()},
        "rows": rows,
    }
    return document, converged


def _reference_margin(asked: str | None, model: "fmjax.Model", alpha: float) -> tuple[float, str | None]:
    """The reference margin as a number and, where `max` could not be found, the reason."""
    if asked is None:
        raise ValueError("no reference given: use --reference-margin, or --reference-loss with --beta")
    if asked == "max":
        largest = fmjax.thresholds.kappa_max(model, alpha)
        reason = None if bool(largest.converged) else f"kappa_max({alpha:g}) was not found: {largest.result}"
        return float(largest.value), reason
    try:
        return number(asked), None
    except typer.BadParameter:
        raise ValueError(f"--reference-margin must be a number or max, not {asked!r}") from None


def add_to(app: typer.Typer) -> None:
    outputs, one_step = (QUANTITIES[name].outputs for name in ("franz-parisi", "clusters"))
    more = {name: output for name, output in one_step.items() if output != outputs.get(name) and name != "stable_clusters"}
    more["phase"] = replace(more["phase"], about="whether counted solutions are isolated, in clusters, or none")
    theory_command(app, "entropy", filled(entropy, outputs=listed(QUANTITIES["entropy"].outputs)))
    theory_command(app, "thermodynamics", filled(thermodynamics, outputs=listed(QUANTITIES["thermodynamics"].outputs)))
    theory_command(app, "franz-parisi", filled(franz_parisi, outputs=listed(outputs), one_step=listed(more)))
