"""Single instances, and networks that are trained."""

import math

from fmjax.quantities.parts import MARGIN, MODEL, SEED
from fmjax.quantities.quantity import Control, Late, Output, Quantity
from fmjax.sentences import AROUND_FOUND, FOCUSING, NETWORKS

__all__ = ["EXPERIMENTS"]

_DATASETS = ("digits", "mnist-odd-even", "mnist", "fashion-mnist", "cifar10")


def _count(about: str, default: int | None = None, high: float = math.inf) -> Control:
    return Control(about, default, low=1, high=high, integer=True, static=True)


_SIZE = _count("number of weights N", high=2.0**24 - 1)


EXPERIMENTS: dict[str, Quantity] = {
    "focusing": Quantity(
        "solutions of random instances by focusing belief propagation",
        {
            "size": _SIZE,
            "alpha": Control("load, patterns per weight", low=0.0, static=True),
            "margin": Control(MARGIN.about, 0.0, static=True),
            "seed": SEED,
        },
        {
            "errors": Output("patterns", "patterns that the best weights violate", "int32"),
            "sweeps": Output("1", "sweeps done", "int32"),
            "min_stability": Output("1", "smallest stability of a pattern"),
        },
        Late("fmjax.quantities.measured:focused"),
        FOCUSING,
        block=8,
        seconds=0.1,
        example="focusing --size 1001 --alpha 0.7",
    ),
    "local-entropy": Quantity(
        "local entropy of a random instance around a solution that focusing finds",
        {
            "size": _SIZE,
            "alpha": Control("load, patterns per weight", low=0.0, static=True),
            "margin": Control(MARGIN.about, 0.0, static=True),
            "seed": Control(SEED.about, low=SEED.low, high=SEED.high, integer=True, static=True),
            "gamma": Control("field along the solution", low=0.0, high=100.0, along=True),
            "activation": MODEL["activation"],
            "units": _count("hidden units K of a tree committee", 1),
            "damping": Control("of belief propagation; its usual one", low=0.0, high=0.999, static=True, optional=True),
        },
        {
            "distance": Output("1", "Hamming distance per weight from the solution"),
            "entropy": Output("nats per weight", "log of the number of solutions there"),
            "errors": Output("patterns", "patterns that the best weights violate", "int32"),
        },
        Late("fmjax.quantities.measured:around_found"),
        AROUND_FOUND,
        block=1,
        seconds=0.5,
        on_host=True,
        check=Late("fmjax.quantities.measured:committee_of"),
        example="local-entropy --size 1001 --alpha 0.5",
    ),
    "networks": Quantity(
        "binary multilayer networks that learn images",
        {
            "dataset": Control("images to learn", "digits", words=_DATASETS, static=True),
            "patterns": _count("training patterns P"),
            "width": _count("neurons of each hidden layer"),
            "depth": _count("hidden layers", 2),
            "epochs": _count("passes over the patterns", 100),
            "draws": _count("flips of each network at each fraction", 5),
            "seed": Control("seed of the network", low=0, high=2**31 - 1, integer=True, along=True),
            "fraction": Control("probability to flip a weight", 0.0, low=0.0, high=1.0, along=True),
        },
        {
            "train_error": Output("1", "fraction of its training patterns that the network gets wrong"),
            "loss": Output("nats", "mean cross-entropy of the batches of the last epoch"),
            "overlap": Output("1", "mean overlap with the other networks, up to symmetries; NaN for one alone"),
            "local_energy": Output("1", "train error after the flips, their mean"),
        },
        Late("fmjax.quantities.measured:trained_networks"),
        NETWORKS,
        block=1,
        seconds=5.0,
        on_host=True,
        data=Late("fmjax.quantities.measured:images_of"),
        example="networks --dataset digits",
    ),
}
