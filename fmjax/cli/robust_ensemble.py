"""`fmjax robust-ensemble`: entropy of replicas that lie at a given overlap of each other."""

from typing import Annotated

import typer

import fmjax
from fmjax.cli.options import AlphaOption, ModelMarginOption, ReplicasOption, Setup, number, values_of
from fmjax.cli.running import Document, column, plain, theory_command


def robust_ensemble(
    setup: Setup,
    ctx: typer.Context,
    alpha: AlphaOption,
    replicas: ReplicasOption,
    margin: ModelMarginOption = None,
    overlap: Annotated[
        list[float] | None,
        typer.Option(metavar="Q", parser=number, help="Overlap of any two replicas; give it again for more."),
    ] = None,
    overlaps: Annotated[
        str | None, typer.Option(metavar="START:STOP:COUNT", help="Evenly spaced overlaps, both ends included.")
    ] = None,
) -> tuple[Document, bool]:
    """Count groups of solutions close together.

    Overlaps are given one by one (--overlap) or as a grid (--overlaps).

    \b
    entropy        log of the number of groups of Y solutions at this mutual
                   overlap, per weight and replica, nats
    slope          d entropy / d distance
    distance       (1 - overlap)/2
    cross_overlap  q0, of replicas of two groups
    conjugate      the field q0^ that fixes q0
    stretch        Y (overlap - q0); stretch_conjugate: Y (q1^ - q0^)

    Replicas attract each other at overlaps above that of typical solutions: there is no answer below it.

    \b
    Examples
      fmjax robust-ensemble --alpha 0.6 --replicas inf --overlap 0.9 --overlap 0.95
      fmjax robust-ensemble --alpha 0.6 --replicas 3 --overlaps 0.5:0.99:50 --json
    """
    import numpy as np

    at = values_of("overlap", overlap or [], overlaps, ctx, "0.5:0.99:50")
    bad = [q for q in at if not 0.0 < q < 1.0]
    if bad:
        raise ValueError(f"overlap {bad[0]:g} is not possible: it must lie between 0 and 1, ends excluded; try 0.9")
    model = setup.model(margin)
    ensemble = fmjax.RobustEnsemble(model, replicas)
    curve = fmjax.curve(ensemble, alpha=alpha, distance=0.5 * (1.0 - np.asarray(at)))
    found = {
        "distance": curve.distance,
        "entropy": curve.entropy,
        "slope": curve.slope,
        "cross_overlap": curve.order.q0,
        "conjugate": curve.order.q0_hat,
        "stretch": curve.order.stretch,
        "stretch_conjugate": curve.order.stretch_hat,
        "residual": curve.residual,
        "error_estimate": curve.error_estimate,
    }
    columns = {name: column(values, len(at)) for name, values in found.items()}
    rows = [
        {"overlap": q, **{name: values[i] for name, values in columns.items()}, "result": str(curve.result[i])}
        for i, q in enumerate(at)
    ]
    document = {"alpha": alpha, "margin": plain(model.margin), "replicas": plain(replicas) or "inf", "rows": rows}
    return document, bool(np.all(curve.converged))


def add_to(app: typer.Typer) -> None:
    theory_command(app, "robust-ensemble", robust_ensemble)
