"""`fmjax networks`: ensembles of binary multilayer networks; `fmjax data`: the images that they learn."""

import dataclasses
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from fmjax.cli.options import directory
from fmjax.cli.running import STYLE, Answer, Document, check_new_file, plain, run
from fmjax.progress import bar

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


class DataSet(StrEnum):
    DIGITS = "digits"
    MNIST_ODD_EVEN = "mnist-odd-even"
    MNIST = "mnist"
    FASHION_MNIST = "fashion-mnist"
    CIFAR10 = "cifar10"


def networks(
    dataset: Annotated[DataSet, typer.Option("--dataset", help="Images to learn; mnist-odd-even: parity of digits.")],
    width: Annotated[int | None, typer.Option("--width", metavar="W", min=1, help="Neurons of each hidden layer.")] = None,
    depth: Annotated[int | None, typer.Option("--depth", metavar="L", min=1, help="Hidden layers.")] = None,
    patterns: Annotated[
        list[int] | None, typer.Option("--patterns", metavar="P", help="Training patterns; give it again for more.")
    ] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", metavar="S", help="Networks at each P, at least 2.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", metavar="E", help="Passes over the patterns.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", metavar="R", help="Step size at the start; it falls to 0.")
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", metavar="B", help="Patterns per step.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="I", help="Seed of everything random.")] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option("--checkpoints", metavar="DIR", parser=directory, help="Keep the training here, and go on from it."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.nc", help="Write all results to a new NetCDF file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train binary networks on images.

    What is not given has the default of the data set, chosen so that the
    threshold lies inside the sweep.

    \b
    train_error      fraction of training patterns wrong, mean over networks
    solved_fraction  of the networks, those without an error
    overlap          of two networks, up to permutations and flips of neurons
    random_overlap   the same for random networks: what the matching creates
    threshold        largest P with zero mean train error; its 95 % interval
    slope, curvature of the local energy at 0: train error against the fraction
                     of flipped weights, at the threshold

    \b
    Examples
      fmjax networks --dataset digits
      fmjax networks --dataset fashion-mnist --width 51 --patterns 300 --patterns 1000 --out fashion.nc
    """
    given = {
        "patterns": tuple(sorted(set(patterns))) if patterns else None,
        "seeds": seeds,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch": batch,
        "seed": seed,
    }

    def compute() -> Answer:
        from fmjax.networks import STUDIES, run as run_study

        check_new_file(out)
        usual = STUDIES[dataset.value]
        shape = (width or usual.hidden[0],) * (depth or len(usual.hidden))
        chosen = {name: value for name, value in given.items() if value is not None}
        found = run_study(dataclasses.replace(usual, hidden=shape, **chosen), checkpoints=checkpoints, progress=bar)
        return Answer(_document(found), keep=partial(_write, found, out) if out else None)

    run(compute, as_json, "the same command goes on where it stopped" if checkpoints else "")


def _write(found: Any, out: Path) -> None:
    from fmjax.reproduce.directory import write_netcdf

    write_netcdf(out, found)


_COLUMNS = {
    "train_error": "mean_train_error",
    "train_error_error": "mean_train_error_error",
    "solved_fraction": "solved_fraction",
    "overlap": "mean_overlap",
    "overlap_error": "mean_overlap_error",
}


def _document(found: Any) -> Document:
    whole = found.sel(part="all")
    rows = [
        {"patterns": int(size)} | {column: plain(found[name][index]) for column, name in _COLUMNS.items()}
        for index, size in enumerate(found.patterns)
    ]
    return {
        "dataset": found.attrs["dataset"],
        "sizes": [int(size) for size in found.attrs["sizes"]],
        "weights": int(found.attrs["weights"]),
        "seeds": int(found.attrs["seeds"]),
        "epochs": int(found.attrs["epochs"]),
        "seed": int(found.attrs["seed"]),
        "random_overlap": plain(found.mean_random_overlap),
        "random_overlap_error": plain(found.mean_random_overlap_error),
        "threshold": plain(found.threshold),
        "threshold_low": plain(found.threshold_low),
        "threshold_high": plain(found.threshold_high),
        "local_energy_patterns": int(found.local_energy_patterns),
        **{name: plain(whole[name]) for name in ("slope", "slope_error", "curvature", "curvature_error")},
        "result": str(found.result.item()),
        "rows": rows,
    }


def data_command() -> None:
    """Image data: what is here, and how to get the rest.

    Images are looked for in the directory that FMJAX_DATA names, else in
    ~/.cache/fmjax, in a folder of the name of the data set.

    \b
    Example
      fmjax data fetch fashion-mnist
    """


def data_list(as_json: JsonOption = False) -> None:
    """Data sets, and where they are.

    \b
    Example
      fmjax data list
    """

    def compute() -> Answer:
        from fmjax.networks import data

        rows = []
        for name in data.NAMES:
            try:
                place, here = str(data.locate(name)[0]) if name in data.SOURCES else "inside scikit-learn", True
            except FileNotFoundError:
                place, here = f"fmjax data fetch {name}", False
            rows.append({"name": name, "here": here, "place": place})
        return Answer({"directory": str(data.directory()), "rows": rows})

    run(compute, as_json)


def data_fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="mnist, fashion-mnist or cifar10.")],
    mirror: Annotated[str | None, typer.Option("--mirror", metavar="URL", help="Directory with the same files.")] = None,
) -> None:
    """Download a data set, and check its hashes.

    \b
    Example
      fmjax data fetch mnist
    """

    def compute() -> Answer:
        from fmjax.networks import data

        return Answer("\n".join(map(str, data.fetch(name, mirror))))

    run(compute)


def data_path() -> None:
    """The directory where images are looked for.

    \b
    Example
      fmjax data path
    """

    def compute() -> Answer:
        from fmjax.networks import data

        return Answer(str(data.directory()))

    run(compute)


def add_to(app: typer.Typer) -> None:
    app.command("networks")(networks)
    data = typer.Typer(**STYLE)
    data.callback()(data_command)
    data.command("list")(data_list)
    data.command("fetch")(data_fetch)
    data.command("path")(data_path)
    app.add_typer(data, name="data")
