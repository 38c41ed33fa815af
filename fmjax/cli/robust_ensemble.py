"""`fmjax robust-ensemble`: entropy of replicas that lie at a given overlap of each other."""

from typing import Annotated, Any

import typer

from fmjax.cli.describing import filled, listed
from fmjax.cli.options import AlphaOption, ModelMarginOption, ReplicasOption, Setup, number, values_of
from fmjax.cli.running import Document, column, plain, theory_command
from fmjax.quantities import QUANTITIES, Output


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
    {outputs}

    Replicas attract each other at overlaps above that of typical solutions: there is no answer below it.

    \b
    Examples
      fmjax robust-ensemble --alpha 0.6 --replicas inf --overlap 0.9 --overlap 0.95
      fmjax robust-ensemble --alpha 0.6 --replicas 3 --overlaps 0.5:0.99:50 --json
    """
    import numpy as np

    from fmjax.outcome import CONVERGED, describe

    at = values_of("overlap", overlap or [], overlaps, ctx, "0.5:0.99:50")
    bad = [q for q in at if not 0.0 < q < 1.0]
    if bad:
        raise ValueError(f"overlap {bad[0]:g} is not possible: it must lie between 0 and 1, ends excluded; try 0.9")
    model, distance = setup.model(margin), 0.5 * (1.0 - np.asarray(at))
    values = {"alpha": alpha, "margin": model.margin, "replicas": replicas, "distance": distance}
    setup.check("robust ensemble", _QUANTITY)
    found: dict[str, Any] = {"distance": distance} | _QUANTITY.evaluate(setup.controls() | values)
    status = found.pop("result")
    columns = {name: column(values, len(at)) for name, values in setup.shown(found).items()}
    results = describe(status, _QUANTITY.sentences)
    rows = [
        {"overlap": q, **{name: values[i] for name, values in columns.items()}, "result": str(results[i])}
        for i, q in enumerate(at)
    ]
    document = {"alpha": alpha, "margin": plain(model.margin), "replicas": plain(replicas) or "inf", "rows": rows}
    return document, bool(np.all(status == CONVERGED))


_QUANTITY = QUANTITIES["robust-ensemble"]
_DISTANCE = Output("1", "Hamming distance per weight of two replicas, (1 - overlap)/2")


def add_to(app: typer.Typer) -> None:
    outputs = listed({"distance": _DISTANCE, **_QUANTITY.outputs})
    theory_command(app, "robust-ensemble", filled(robust_ensemble, outputs=outputs))
