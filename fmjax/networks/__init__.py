"""Binary multilayer networks: ensembles of solutions, their overlaps up to symmetries, their local energy.

>>> import jax
>>> from fmjax import networks
>>> task = networks.load_task("digits")
>>> config = networks.Config((64, 21, 21, 10), patterns=(50,), seeds=2, epochs=60)
>>> trained = networks.train(config, task.inputs, task.labels, jax.random.key(0))
>>> trained.error.shape
(1, 2)

`run` does all of it for a `Study`, training, overlaps, threshold and local energy; `STUDIES` holds one for each data set.
"""

from fmjax.networks.binary import BinaryMLP, class_scores, mistakes, sign
from fmjax.networks.data import Task, load, load_task
from fmjax.networks.local_energy import flipped, local_energy, shape_at_zero
from fmjax.networks.matching import (
    Symmetry,
    match,
    mean_over_networks,
    mean_overlap,
    overlap,
    overlaps_with_others,
    pair_overlaps,
    random_networks,
)
from fmjax.networks.study import STUDIES, Study, run, threshold
from fmjax.networks.training import Config, Trained, train

__all__ = [
    "STUDIES",
    "BinaryMLP",
    "Config",
    "Study",
    "Symmetry",
    "Task",
    "Trained",
    "class_scores",
    "flipped",
    "load",
    "load_task",
    "local_energy",
    "match",
    "mean_over_networks",
    "mean_overlap",
    "mistakes",
    "overlap",
    "overlaps_with_others",
    "pair_overlaps",
    "random_networks",
    "run",
    "shape_at_zero",
    "sign",
    "threshold",
    "train",
]
