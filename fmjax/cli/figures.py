"""`fmjax figure NAME` and `fmjax reproduce`: the paper's figures."""

from pathlib import Path
from typing import Annotated

import typer

from fmjax.cli.describing import filled
from fmjax.cli.options import directory
from fmjax.cli.running import Answer, run
from fmjax.cli.sweeps import SchedulerOption, WorkersOption
from fmjax.reproduce.listing import FIGURES

QuickOption = Annotated[
    bool, typer.Option("--quick", help="Coarser grids, smaller instances, digits instead of the paper's images.")
]


OutOption = Annotated[
    Path, typer.Option("--out", metavar="DIR", parser=directory, help="Directory to write to, made if missing.")
]


def _known(name: str) -> str:
    if name not in FIGURES:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(FIGURES)}.")
    return name


def figure(
    name: Annotated[str, typer.Argument(metavar="NAME", parser=_known, help="2 to 8, or one of the words below.")],
    out: OutOption,
    quick: QuickOption = False,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Compute and draw one figure.

    \b
    Writes figure-NAME.nc, .png and .pdf. All that is computed are sweeps, kept
    in grids/, where --workers or --scheduler compute them: what is finished is
    not computed again, also of a figure that was interrupted, or for another.

    \b
    {figures}

    \b
    Example
      fmjax figure 3 --quick --out out
    """

    def compute() -> Answer:
        from fmjax import reproduce

        return Answer("", bool(reproduce.make_figure(name, out, quick, workers=workers, scheduler=scheduler)))

    run(compute, if_stopped="what was finished is kept, the same command goes on")


def reproduce_all(
    out: OutOption, quick: QuickOption = False, workers: WorkersOption = None, scheduler: SchedulerOption = None
) -> None:
    """Every figure and threshold, and a report of them.

    \b
    Writes figures, data, report.html and report.json: what the paper says next
    to what the run found. An interrupted run goes on where it stopped; a
    directory that holds results of other settings is left alone. On 2 cores
    --quick takes six to ten minutes; in full it takes hours, most of them for
    the networks of figure 8. All that is computed are sweeps, kept in grids/,
    where --workers or --scheduler compute them.

    \b
    Example
      fmjax reproduce --quick --out out
    """

    def compute() -> Answer:
        from fmjax import reproduce

        return Answer("", bool(reproduce.run(out, quick, workers=workers, scheduler=scheduler)))

    run(compute, if_stopped="finished figures and thresholds are kept, the same command goes on")


def add_to(app: typer.Typer) -> None:
    width = max(map(len, FIGURES)) + 2
    lines = [f"{name.ljust(width)}{listed.about}" for name, listed in FIGURES.items()]
    app.command("figure")(filled(figure, figures="\n".join(lines)))
    app.command("reproduce")(reproduce_all)
