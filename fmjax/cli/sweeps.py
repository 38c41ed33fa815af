"""`fmjax sweep`: a quantity over a grid of controls, into a store that survives interruption."""

import textwrap
from pathlib import Path
from typing import Annotated

import typer

from fmjax.cli.describing import filled, names
from fmjax.cli.options import directory
from fmjax.cli.running import Answer, run
from fmjax.quantities import QUANTITIES

WorkersOption = Annotated[int | None, typer.Option(metavar="W", min=1, help="Processes of this machine; for CPUs.")]
SchedulerOption = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler whose workers do it, tcp://host:8786.")
]


def sweep(
    request: Annotated[
        Path, typer.Argument(metavar="FILE.toml", show_default=False, help="The request: a quantity and its grid.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="STORE.zarr", parser=directory, help="Directory for the results, made new.")
    ],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a store that is there, after checking it.")] = False,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would take, and do nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compute a quantity over a grid of controls.

    \b
    The file names a quantity and its grid. Quantities are
    {quantities}

    \b
    Controls have the names of the options of that command (replicas lie at a
    distance, (1 - overlap)/2): numbers, inf, words, lists of them,
    START:STOP:COUNT or START:STOP:COUNT:log. A wrong name is answered with
    those that there are.
      quantity = "franz-parisi"
      block = 4                 # points, here curves, per block: optional
      [grid]
      alpha = "0.2:0.6:41"
      reference_margin = [0.1, 0.2, 0.3]
      distance = "1e-3:0.5:100:log"
    A control may run along the axis of another one: with alpha = [0.4, 0.5],
      reference_margin = {along = "alpha", values = [0.55, 0.41]}
    or several of them along "point": points that are listed one by one.

    \b
    By default this process computes, on all its devices and cores. Every finished
    block is kept: whatever stopped a run, --resume goes on with it. A block that
    does not read back as it was written is computed again. In Python,
    fmjax.open("STORE.zarr") gives the results as an xarray dataset.

    \b
    Examples
      fmjax sweep diagram.toml --out diagram.zarr --dry-run
      fmjax sweep diagram.toml --out diagram.zarr --workers 8
    """

    def compute() -> Answer:
        from fmjax import sweeps

        if dry_run:
            return Answer(sweeps.estimate(request, out, resume=resume, workers=workers, scheduler=scheduler))
        options = {"resume": resume, "workers": workers, "scheduler": scheduler}
        found = sweeps.sweep(request, out, progress=True, **options)
        counts = sweeps.outcomes(found)
        success, *_ = counts
        document = {"store": str(out), "points": sum(counts.values()), **counts}
        return Answer(document, counts[success] == document["points"])

    run(compute, as_json, f"finished blocks are kept, {'the same command goes on' if resume else 'go on with --resume'}")


def add_to(app: typer.Typer) -> None:
    quantities = "\n".join(textwrap.wrap(names(QUANTITIES, "and"), 76, break_on_hyphens=False))
    app.command("sweep")(filled(sweep, quantities=quantities))
