"""`fmjax figure NAME` and `fmjax reproduce`: the paper's figures."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fmjax.cli.running import Answer, run
from fmjax.cli.sweeps import SchedulerOption, WorkersOption


class Figure(StrEnum):
    TYPICAL_DISTANCE = "2"
    FRANZ_PARISI = "3"
    AT_KAPPA_MAX = "4"
    ENTROPY = "5"
    RELU_AT_KAPPA_MAX = "6"
    SIGN_AT_KAPPA_MAX = "7"
    DEEP_NETWORKS = "8"
    PHASE_DIAGRAM = "phase-diagram"
    ONE_STEP = "one-step"
    ENSEMBLES = "ensembles"
    REFERENCES = "references"
    SYMMETRIC = "symmetric"


QuickOption = Annotated[
    bool, typer.Option("--quick", help="Coarser grids, smaller instances, digits instead of the paper's images.")
]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Directory to write to, made if missing.")]


def figure(
    name: Annotated[
        Figure,
        typer.Argument(metavar="NAME", show_default=False, help="2 to 8, or one of the words below."),
    ],
    out: OutOption,
    quick: QuickOption = False,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Compute and draw one figure.

    \b
    Writes figure-NAME.nc, .png and .pdf. What is finished is not computed again,
    also of a figure that was interrupted. Curves and lines of thresholds are
    sweeps, which --workers or --scheduler may compute; instances, networks and
    clusters are computed by this process.

    \b
    2              distance of typical solutions against margin
    3              Franz-Parisi entropy against distance, one curve per phase
    4              the same at kappa_max(alpha), and its slope, around alpha'_U
    5              entropy against margin, and kappa_max against alpha
    6, 7           figure 4 for tree committees of ReLU and of sign units
    8              binary networks on images: error, overlap, local energy
    phase-diagram  kappa_min, kappa_u, kappa_max, alpha'_U against load and margin
    one-step       one step of replica-symmetry breaking, and the robust ensemble
    ensembles      local entropy of typical and of dense regions, instances
    references     local entropy around minima of the cross-entropy
    symmetric      phases of the symmetric perceptron, against margin and load

    \b
    Example
      fmjax figure 3 --quick --out out
    """

    def compute() -> Answer:
        from fmjax import reproduce

        return Answer("", bool(reproduce.make_figure(name.value, out, quick, workers=workers, scheduler=scheduler)))

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
    the networks of figure 8. Curves and lines of thresholds are sweeps, which
    --workers or --scheduler may compute.

    \b
    Example
      fmjax reproduce --quick --out out
    """

    def compute() -> Answer:
        from fmjax import reproduce

        return Answer("", bool(reproduce.run(out, quick, workers=workers, scheduler=scheduler)))

    run(compute, if_stopped="finished figures and thresholds are kept, the same command goes on")


def add_to(app: typer.Typer) -> None:
    app.command("figure")(figure)
    app.command("reproduce")(reproduce_all)
