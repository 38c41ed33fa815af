"""`fmjax focusing` and `fmjax local-entropy`: single instances, sample by sample."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from fmjax.cli.options import AlphaOption, MarginOption
from fmjax.cli.running import Answer, Document, check_new_file, plain, run
from fmjax.progress import bar
from fmjax.sentences import CONVERGED

SizeOption = Annotated[int, typer.Option("--size", metavar="N", help="Number of weights.")]
SamplesOption = Annotated[int, typer.Option("--samples", metavar="S", help="Number of instances.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="I", help="Seed of the first instance; the others follow.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE.nc", help="Also write everything, weights included, to a new NetCDF file."),
]


def focusing(
    size: SizeOption,
    alpha: AlphaOption,
    margin: MarginOption = 0.0,
    samples: SamplesOption = 1,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    out: OutOption = None,
) -> None:
    """Find solutions of random instances.

    Focusing belief propagation (BP): replicas of the weights attract each other.

    \b
    solved         the weights satisfy every pattern, checked in integers
    errors         patterns violated by the best weights that were met
    min_stability  smallest w.xi/sqrt(N) of the patterns
    seconds        wall time; that of the first sample includes compilation

    \b
    Example
      fmjax focusing --size 1001 --alpha 0.7 --samples 5
    """

    def compute() -> Answer:
        from fmjax.message_passing.experiment import find_solutions

        _check(samples, seed, out)
        seeds = range(seed, seed + samples)
        dataset = find_solutions(size, alpha, margin, seeds=seeds, progress=bar)
        document = _controls(dataset) | {
            "samples": [_sample(dataset, i) for i in range(samples)],
            "solved_fraction": float(dataset.solved.mean()),
        }
        return Answer(document, bool(dataset.solved.all()), partial(_write, dataset, out) if out else None)

    run(compute, as_json)


def local_entropy(
    size: SizeOption,
    alpha: AlphaOption,
    samples: SamplesOption = 10,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    out: OutOption = None,
) -> None:
    """Entropy of solutions around those that focusing finds.

    Focusing goes on after its first solution, which lies at the edge of a flat
    region, to the end of its schedule.

    \b
    gamma          field along the solution that was found
    distance       Hamming distance per weight from it, mean over samples
    entropy        log of the number of solutions there, per weight, nats
    ..._std        standard deviations over samples
    samples        how many of the samples converged there

    \b
    Example
      fmjax local-entropy --size 1001 --alpha 0.5 --samples 5
    """

    def compute() -> Answer:
        import numpy as np

        from fmjax.message_passing.experiment import average, measure_entropies

        _check(samples, seed, out)
        dataset = measure_entropies(size, alpha, seeds=range(seed, seed + samples), progress=bar)
        gammas, means = dataset.gamma.to_numpy(), average(dataset)
        columns = ("distance", "entropy", "residual", "result")
        document = _controls(dataset) | {
            "samples": [
                _sample(dataset, i) | {"rows": _rows(gammas, {name: dataset[name].to_numpy()[i] for name in columns})}
                for i in range(samples)
            ],
            "rows": _rows(gammas, means),
        }
        return Answer(document, bool(np.all(dataset.result == CONVERGED)), partial(_write, dataset, out) if out else None)

    run(compute, as_json)


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
