"""`fmjax focusing` and `fmjax local-entropy`: single instances, sample by sample."""

import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fmjax.cli.options import MarginOption, number
from fmjax.cli.running import Answer, Document, check_new_file, plain, run
from fmjax.names import Activation
from fmjax.progress import bar
from fmjax.quantities.parts import ALPHA
from fmjax.sentences import CONVERGED

if TYPE_CHECKING:
    from fmjax.message_passing import Committee, Instance


class Wiring(StrEnum):
    """How weights become an output: names of `--architecture`, as far as the theory has them the same ones."""

    PERCEPTRON = "perceptron"
    COMMITTEE = "committee"
    FULLY_CONNECTED = "fully-connected"


SizeOption = Annotated[int | None, typer.Option("--size", metavar="N", help="Number of weights, of random patterns.")]
LoadOption = Annotated[
    float | None, typer.Option("--alpha", metavar=ALPHA.symbol, parser=number, help="Load: random patterns per weight.")
]
PatternsOption = Annotated[
    Path | None, typer.Option("--patterns", metavar="FILE", help="Your own patterns: .npy, .npz or .csv.")
]
LabelsOption = Annotated[Path | None, typer.Option("--labels", metavar="FILE", help="Their labels, of two values.")]
WiringOption = Annotated[
    Wiring, typer.Option("--architecture", help="Of several units: committee has a tree of inputs, or share them.")
]
UnitsOption = Annotated[int | None, typer.Option("--units", metavar="K", help="Hidden units of a committee.")]
HiddenOption = Annotated[
    Activation | None, typer.Option("--activation", help="Hidden units; sign unless given.", show_default=False)
]
DampingOption = Annotated[
    float | None,
    typer.Option("--damping", metavar="D", parser=number, help="Part of the old messages kept; 0.97 with --patterns."),
]
SamplesOption = Annotated[int, typer.Option("--samples", metavar="S", help="Number of instances.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="I", help="Seed of the first instance; the others follow.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE.nc", help="Also write everything, weights included, to a new NetCDF file."),
]


def focusing(
    size: SizeOption = None,
    alpha: LoadOption = None,
    patterns: PatternsOption = None,
    labels: LabelsOption = None,
    margin: MarginOption = 0.0,
    architecture: WiringOption = Wiring.PERCEPTRON,
    units: UnitsOption = None,
    activation: HiddenOption = None,
    damping: DampingOption = None,
    samples: SamplesOption = 1,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    out: OutOption = None,
) -> None:
    """Find solutions for random patterns, or your own.

    Focusing belief propagation (BP): replicas of the weights attract each other.
    Rows of --patterns hold +1 and -1, or 0 and 1; samples then differ in a random
    field at the start.

    \b
    solved         the weights satisfy every pattern, checked in integers
    errors         patterns violated by the best weights that were met
    min_stability  smallest stability of the patterns, w.xi/sqrt(N)
    seconds        wall time; that of the first sample includes compilation

    \b
    Examples
      fmjax focusing --size 1001 --alpha 0.7 --samples 5
      fmjax focusing --size 1005 --alpha 0.5 --architecture committee --units 5
      fmjax focusing --patterns X.npy --labels y.npy
    """

    def compute() -> Answer:
        from fmjax.message_passing.experiment import find_in, find_solutions

        _check(samples, seed, out)
        about, committee = _network(architecture, units, activation)
        seeds = range(seed, seed + samples)
        own = _own(size, alpha, patterns, labels, margin, committee)
        if own is not None:
            dataset = find_in(own, seeds=seeds, damping=damping, progress=bar)
        else:
            options = {"committee": committee, "damping": damping, "progress": bar}
            dataset = find_solutions(size, alpha, margin, seeds=seeds, **options)  # pyright: ignore[reportArgumentType]
        document = (
            _controls(dataset)
            | about
            | {
                "samples": [_sample(dataset, i) for i in range(samples)],
                "solved_fraction": float(dataset.solved.mean()),
            }
        )
        return Answer(document, bool(dataset.solved.all()), partial(_write, dataset, out) if out else None)

    run(compute, as_json)


def local_entropy(
    size: SizeOption = None,
    alpha: LoadOption = None,
    patterns: PatternsOption = None,
    labels: LabelsOption = None,
    margin: MarginOption = 0.0,
    architecture: WiringOption = Wiring.PERCEPTRON,
    units: UnitsOption = None,
    activation: HiddenOption = None,
    damping: DampingOption = None,
    samples: SamplesOption = 10,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    out: OutOption = None,
) -> None:
    """Entropy of solutions around those that focusing finds.

    All of them satisfy every pattern at --margin. Focusing goes on after its
    first solution, which lies at the edge of a flat region, to the end of its
    schedule.

    \b
    gamma          field along the solution that was found
    distance       Hamming distance per weight from it, mean over samples
    entropy        log of the number of solutions there, per weight, nats
    ..._std        standard deviations over samples
    samples        how many of the samples converged there

    \b
    Examples
      fmjax local-entropy --size 1001 --alpha 0.5 --samples 5
      fmjax local-entropy --size 1001 --alpha 0.5 --margin 0.1 --samples 5
      fmjax local-entropy --patterns X.npy --labels y.npy --samples 2
    """

    def compute() -> Answer:
        import numpy as np

        from fmjax.message_passing.experiment import average, measure_around, measure_entropies

        _check(samples, seed, out)
        about, committee = _network(architecture, units, activation)
        options = {"seeds": range(seed, seed + samples), "damping": damping, "progress": bar}
        own = _own(size, alpha, patterns, labels, margin, committee)
        if own is not None:
            dataset = measure_around(own, **options)
        else:
            options |= {"committee": committee}
            dataset = measure_entropies(size, alpha, margin, **options)  # pyright: ignore[reportArgumentType]
        gammas, means = dataset.gamma.to_numpy(), average(dataset)
        columns = ("distance", "entropy", "residual", "result")
        document = (
            _controls(dataset)
            | about
            | {
                "samples": [
                    _sample(dataset, i) | {"rows": _rows(gammas, {name: dataset[name].to_numpy()[i] for name in columns})}
                    for i in range(samples)
                ],
                "rows": _rows(gammas, means),
            }
        )
        return Answer(document, bool(np.all(dataset.result == CONVERGED)), partial(_write, dataset, out) if out else None)

    run(compute, as_json)


def _network(architecture: Wiring, units: int | None, activation: Activation | None) -> tuple[Document, "Committee | None"]:
    """What is said of a committee, and the committee itself; nothing of a perceptron."""
    from fmjax.message_passing import Committee

    if architecture is Wiring.PERCEPTRON:
        if units is not None or activation is not None:
            flag = f"--units {units}" if units is not None else f"--activation {activation}"
            raise ValueError(f"{flag} has no place in a perceptron: add --architecture {Wiring.COMMITTEE}")
        return {}, None
    if units is None:
        raise ValueError(f"--architecture {architecture} needs hidden units: add --units K, like --units 5")
    committee = Committee((activation or Activation.SIGN).value, units, tree=architecture is Wiring.COMMITTEE)
    return {"architecture": architecture.value, "activation": committee.activation, "units": committee.units}, committee


def _own(
    size: int | None,
    alpha: float | None,
    patterns: Path | None,
    labels: Path | None,
    margin: float,
    committee: "Committee | None",
) -> "Instance | None":
    """The instance of files; None where random ones are asked for."""
    if patterns is None:
        if labels is not None:
            raise ValueError("--labels are those of --patterns: give both")
        missing = [flag for flag, value in (("--size", size), ("--alpha", alpha)) if value is None]
        if missing:
            raise ValueError(f"{' and '.join(missing)} missing: give --size and --alpha, or a file of --patterns")
        return None
    if size is not None or alpha is not None:
        raise ValueError("--size and --alpha are those of random patterns: leave them out with --patterns")
    from fmjax.message_passing.files import read_instance

    return read_instance(patterns, labels, margin, committee)


def _check(samples: int, seed: int, out: Path | None) -> None:
    if samples < 1:
        raise ValueError(f"--samples must be at least 1, not {samples}")
    if seed < 0:
        raise ValueError(f"--seed must be at least 0, not {seed}")
    check_new_file(out)


def _controls(dataset: Any) -> Document:
    return {"size": int(dataset.sizes["weight"]), "alpha": float(dataset.alpha), "margin": float(dataset.margin)}


def _sample(dataset: Any, index: int) -> Document:
    row = dataset.isel(sample=index)
    return {
        "seed": int(row.seed),
        "solved": bool(row.solved),
        "errors": int(row.errors),
        "sweeps": int(row.sweeps),
        "min_stability": plain(row.min_stability),
        "seconds": plain(row.seconds),
        "result": str(row.outcome.item()),
    }


def _rows(gammas: Any, columns: dict[str, Any]) -> list[Document]:
    def cell(name: str, value: Any) -> Any:
        return str(value) if name == "result" else int(value) if name == "samples" else plain(value)

    return [
        {"gamma": plain(gamma), **{name: cell(name, values[i]) for name, values in columns.items()}}
        for i, gamma in enumerate(gammas)
    ]


def _write(dataset: Any, path: Path) -> None:
    """Write a dataset with its provenance; the file is complete or absent."""
    import jax
    import numpy as np

    import fmjax
    from fmjax.reproduce.directory import write_netcdf

    versions = {"fmjax": fmjax.__version__, "jax": jax.__version__, "numpy": np.__version__}
    command = " ".join(["fmjax", *sys.argv[1:]])
    write_netcdf(path, dataset.assign_attrs(versions, command=command))


def add_to(app: typer.Typer) -> None:
    app.command("focusing")(focusing)
    app.command("local-entropy")(local_entropy)
