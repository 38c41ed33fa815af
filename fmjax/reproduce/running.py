"""Make one figure, or all of them with the report."""

from collections import Counter
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

import fmjax
from fmjax.progress import Loop
from fmjax.reproduce import report, statements
from fmjax.reproduce.directory import REPORT_HTML, REPORT_JSON, Directory
from fmjax.reproduce.engine import Engine
from fmjax.reproduce.listing import FIGURES
from fmjax.sentences import CONVERGED, NO_POINT, THEORY
from fmjax.solvers import outcome
from fmjax.sweeps import connected
from fmjax.sweeps.blocks import forget_programs

figures: dict[str, Any] = {name: listed.load() for name, listed in FIGURES.items()}
# Results that are answers and not failures: the branch ends there, or what it counts is too much; there is no threshold.
_ANSWERS = {THEORY[outcome.BRANCH_ENDED], THEORY[outcome.CROWDED], NO_POINT}


def _directory(out: Path, quick: bool) -> Directory:
    chosen = {name: module.settings(quick) for name, module in figures.items()}
    settings = {"fmjax": fmjax.__version__, "quick": quick, "figures": chosen}
    return Directory(Path(out), list(figures), settings)


def unconverged(dataset: xr.Dataset) -> dict[str, int]:
    """Every reason for which a point of the dataset has no value, and how many points it holds for."""
    names = [str(name) for name in dataset.variables if str(name).endswith("result")]
    counts = Counter(str(reason) for name in names for reason in np.ravel(dataset[name].to_numpy()))
    counts.pop(CONVERGED, None)
    return dict(counts)


def _make(directory: Directory, name: str, client: Any) -> xr.Dataset:
    """The dataset of a figure, from grids that are computed if they are not there yet; and its files."""
    module = figures[name]
    dataset = module.compute(directory.settings["quick"], Engine(directory.grids, client, shows=True))
    directory.write_dataset(name, dataset)
    directory.write_pictures(name, module.draw(dataset))
    return dataset


def make_figure(name: str, out: Path, quick: bool = False, *, workers: int | None = None, scheduler: Any = None) -> bool:
    """Compute and draw one figure: ``figure-NAME.nc``, ``.png`` and ``.pdf`` in ``out``.

    Its grids are sweeps, in ``out/grids``, which `fmjax.open` reads: what is finished is not computed again, also of a
    figure that was interrupted, or for another one.

    Args:
        name: one of `figures`.
        out: directory, made if missing.
        quick: coarse grids.
        workers: processes of this machine that compute its grids, as for `fmjax.sweep`.
        scheduler: address of a dask scheduler, or a client of one, whose workers compute them.

    Returns:
        Whether everything that should converge did. A distance beyond the end of a replica-symmetric branch, and a
        threshold that does not exist at a load, are answers: they keep their reason and do not count against it.

    Raises:
        ValueError: the name is unknown, or ``out`` holds results of other settings or of another origin; nothing is
            written.
    """
    if name not in figures:
        raise ValueError(f"there is no figure {name!r}; there are {', '.join(figures)}")
    directory = _directory(out, quick)
    directory.check()
    with connected(workers, scheduler) as client:
        directory.take()
        return set(unconverged(_make(directory, name, client))) <= _ANSWERS


def run(out: Path, quick: bool = False, *, workers: int | None = None, scheduler: Any = None) -> bool:
    """Compute every threshold and figure, and write ``report.html`` and ``report.json``.

    All are sweeps, in ``out/grids``: an interrupted run goes on where it stopped, block by block.

    Args:
        out: directory, made if missing.
        quick: coarse grids.
        workers: processes of this machine that compute the grids, as for `fmjax.sweep`.
        scheduler: address of a dask scheduler, or a client of one, whose workers compute them.

    Returns:
        Whether everything that should converge did (see `make_figure`).

    Raises:
        ValueError: ``out`` holds results of other settings or of another origin; nothing is written.
    """
    directory = _directory(out, quick)
    directory.check()
    datasets: dict[str, xr.Dataset] = {}
    with connected(workers, scheduler) as client, Loop("reproduce", len(figures) + 1) as stages:
        directory.take()
        stages.at("thresholds")
        rows = report.measure_all(Engine(directory.grids, client))
        stages.update()
        for name in figures:
            # Compiled programs of the stage before: of all stages they would take 2.6 GiB.
            forget_programs()
            jax.clear_caches()
            stages.at(f"figure {name}")
            datasets[name] = _make(directory, name, client)
            stages.update()
    _write_report(directory, rows, datasets)
    return {row["result"] for row in rows.values()} == {CONVERGED} and all(
        set(unconverged(dataset)) <= _ANSWERS for dataset in datasets.values()
    )


def _write_report(directory: Directory, rows: dict[str, Any], datasets: dict[str, xr.Dataset]) -> None:
    flag = " --quick" if directory.settings["quick"] else ""
    pictures = [
        {
            "name": name,
            "label": f"Figure {name}" if name.isdigit() else name.replace("-", " ").capitalize(),
            "title": module.TITLE,
            "caption": module.CAPTION,
            "data": directory.dataset_path(name).name,
            "command": f"fmjax figure {name}{flag} --out DIR",
            "unconverged": [f"{count} × {reason}" for reason, count in unconverged(datasets[name]).items()],
        }
        for name, module in figures.items()
    ]
    content = {
        "rows": report.table(rows),
        "statements": statements.judge(datasets, rows, report.COMMANDS, flag),
        "figures": pictures,
        "versions": report.versions(),
        "settings": directory.settings,
        "command": f"fmjax reproduce{flag} --out DIR",
    }
    directory.write_json(REPORT_JSON, content)
    for picture in pictures:
        picture["image"] = report.embedded(directory.picture_paths(picture["name"])[0])
    directory.write_text(REPORT_HTML, report.render(content | directory.provenance()))
