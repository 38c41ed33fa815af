"""`fmjax robust-ensemble`: entropy of replicas that lie close together, or around a common centre."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from fmjax.cli.describing import filled, listed
from fmjax.cli.options import AlphaOption, AnyReplicasOption, ModelMarginOption, Setup, number, refuse, values_of
from fmjax.cli.running import Document, column, given, plain, theory_command
from fmjax.quantities import QUANTITIES, Output, Quantity
from fmjax.sentences import CONVERGED


class Centre(StrEnum):
    """What the centre of replicas is."""

    FREE = "free"
    SOLUTION = "solution"


_Several = typer.Option(metavar="START:STOP:COUNT", help="Evenly spaced ones, both ends included.")


def robust_ensemble(
    setup: Setup,
    ctx: typer.Context,
    alpha: AlphaOption,
    replicas: AnyReplicasOption,
    margin: ModelMarginOption = None,
    overlap: Annotated[
        list[float] | None,
        typer.Option(metavar="Q", parser=number, help="Overlap of any two replicas; give it again for more."),
    ] = None,
    overlaps: Annotated[str | None, _Several] = None,
    centre: Annotated[
        Centre | None, typer.Option("--centre", help="Replicas around any weights, or a solution, instead.")
    ] = None,
    centre_margin: Annotated[
        float | None,
        typer.Option(metavar="KT", parser=number, help="Margin of a centre that is a solution; that of the replicas."),
    ] = None,
    distance: Annotated[
        list[float] | None,
        typer.Option(metavar="D", parser=number, help="Distance of replicas from their centre; give it again for more."),
    ] = None,
    distances: Annotated[str | None, _Several] = None,
) -> tuple[Document, bool]:
    """Count groups of solutions close together.

    Overlaps are given one by one (--overlap) or as a grid (--overlaps).

    \b
    {outputs}

    Replicas attract each other at overlaps above that of typical solutions: there is no answer below it.

    With --centre they lie at a distance (--distance, --distances) from any weights (free), or from a solution of
    --centre-margin (solution), instead of each other:

    \b
    {around}

    --replicas typical are as many as leave no entropy of centres: the densest regions that exist.

    \b
    Examples
      fmjax robust-ensemble --alpha 0.6 --replicas inf --overlap 0.9 --overlap 0.95
      fmjax robust-ensemble --alpha 0.6 --replicas 3 --overlaps 0.5:0.99:50 --json
      fmjax robust-ensemble --centre free --alpha 0.6 --replicas typical --distance 0.05
      fmjax robust-ensemble --centre solution --alpha 0.6 --replicas 10 --distance 0.05
    """
    import numpy as np

    values = {"alpha": alpha, "margin": setup.model(margin).margin}
    asked: Document = {"alpha": alpha, "margin": plain(values["margin"]), "replicas": given(replicas)}
    if centre is None:
        refuse("--distance and --distances need --centre free or solution, others give --overlap", distance, distances)
        refuse("--replicas typical needs --centre free or solution", replicas == "typical")
        refuse("--centre-margin needs --centre solution", centre_margin is not None)
        at = _inside("overlap", values_of("overlap", overlap or [], overlaps, ctx, "0.5:0.99:50"), 1.0, "0.9")
        apart = {"replicas": replicas, "distance": 0.5 * (1.0 - np.asarray(at))}
        rows, converged = _rows(setup, "robust ensemble", _APART, values | apart)
        return asked | {"rows": [{"overlap": q, **row} for q, row in zip(at, rows, strict=True)]}, converged
    refuse("--overlap and --overlaps are of replicas without a centre: give --distance", overlap, overlaps)
    at = _inside("distance", values_of("distance", distance or [], distances, ctx, "0.01:0.2:20"), 0.5, "0.05")
    around = {} if replicas == "typical" else {"replicas": replicas}
    if centre is Centre.SOLUTION:
        around["centre_margin"] = values["margin"] if centre_margin is None else centre_margin
        asked["centre_margin"] = plain(around["centre_margin"])
    else:
        refuse("a free centre has no margin: --centre-margin needs --centre solution", centre_margin is not None)
    rows, converged = _rows(setup, "centred ensemble", _CENTRED, values | around | {"distance": np.asarray(at)})
    rows = [{"distance": d} | row for d, row in zip(at, rows, strict=True)]
    return {"centre": centre.value} | asked | {"rows": rows}, converged


def _inside(name: str, values: list[float], end: float, example: str) -> list[float]:
    for value in values:
        if not 0.0 < value < end:
            allowed = f"it must lie between 0 and {end:g}, ends excluded; try {example}"
            raise ValueError(f"{name} {value:g} is not possible: {allowed}")
    return values


def _rows(setup: Setup, name: str, quantity: Quantity, values: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    """A row for each distance, and whether all of them converged."""
    from fmjax.outcome import describe

    setup.check(name, quantity)
    found: dict[str, Any] = {"distance": values["distance"]} | quantity.evaluate(setup.controls() | values)
    results = describe(found.pop("result"), quantity.sentences)
    counts = found.pop("replicas_found", None)
    columns = {name: column(numbers, len(results)) for name, numbers in setup.shown(found).items()}
    if counts is not None:  # how many were asked for or found: a number, or "inf", which a column of numbers has not
        shown = [given(float(y)) if kept == CONVERGED else None for y, kept in zip(counts, results, strict=True)]
        columns = {"replicas": shown} | columns
    rows = [
        {name: numbers[i] for name, numbers in columns.items()} | {"result": str(result)} for i, result in enumerate(results)
    ]
    return rows, all(row["result"] == CONVERGED for row in rows)


_APART, _CENTRED = QUANTITIES["robust-ensemble"], QUANTITIES["centred-ensemble"]
_OF_TWO = {"distance": Output("1", "Hamming distance per weight of two replicas, (1 - overlap)/2")}


def add_to(app: typer.Typer) -> None:
    around = {("replicas" if name == "replicas_found" else name): output for name, output in _CENTRED.outputs.items()}
    outputs = listed(_OF_TWO | dict(_APART.outputs))
    theory_command(app, "robust-ensemble", filled(robust_ensemble, outputs=outputs, around=listed(around)))
