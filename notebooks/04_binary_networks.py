# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Binary networks that learn real images
#
# Several layers of $\pm 1$ weights and sign activations, trained by gradient with straight-through estimators. Are their solutions far
# from each other, and flat? Here on the digits of scikit-learn, in under a minute; `fmjax networks --dataset mnist-odd-even` and
# `fmjax figure 8` do MNIST, FashionMNIST and CIFAR-10.

# %%
import jax
import matplotlib.pyplot as plt
import numpy as np

from fmjax import networks
from fmjax.reproduce import deep_networks

# %% [markdown]
# ## An ensemble is one program
#
# Eight networks for each of two numbers $P$ of training patterns, from different seeds, trained side by side.

# %%
task = networks.load_task("digits")
config = networks.Config((64, 51, 51, 10), patterns=(50, 200), seeds=8, epochs=150)
trained = networks.train(config, task.inputs, task.labels, jax.random.key(0))
for patterns, errors in zip(config.patterns, trained.error, strict=True):
    print(
        f"P = {patterns}: {np.sum(np.asarray(errors) == 0)} of 8 networks learned all patterns, mean error {np.mean(errors):.4f}"
    )

# %% [markdown]
# ## Overlaps, up to symmetry
#
# Hidden neurons may be permuted, and flipped together with their outgoing weights, without changing the function. `match` finds the
# permutation and signs that align two networks; a network and its scrambled copy then have overlap 1. Matching alone makes some
# overlap, so it is compared with that of random networks.

# %%
solutions = [layer[1] for layer in trained.weights]  # at P = 200
found = networks.pair_overlaps(solutions)
random = networks.pair_overlaps(networks.random_networks(config.sizes, 8, jax.random.key(1)))

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.hist([found, random], bins=20, label=["solutions at P = 200", "random networks, matched"])
axes.set(xlabel="overlap after matching", ylabel="pairs", xlim=(0, 1))
axes.legend()
plt.show()

# %% [markdown]
# ## Local energy
#
# Flip each weight with probability $f$ and measure the training error: the flatter the minimum, the longer it stays at zero.

# %%
fractions = np.concatenate([[0.0], np.geomspace(0.002, 0.5, 14)])
inputs, labels = task.inputs[:200], task.labels[:200]
energy = networks.local_energy(solutions, inputs, labels, fractions, jax.random.key(2), draws=16)
every = energy[:, 0]  # all layers flipped together; networks, fractions, draws
mean, spread = every.mean(axis=(0, -1)), every.mean(axis=-1).std(axis=0) / np.sqrt(len(every))

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.errorbar(fractions, mean, spread, fmt="o-", ms=3)
axes.axhline(0.9, color="0.6", linestyle=":", label="guessing")
axes.set(xlabel="fraction of flipped weights", ylabel="train error")
axes.legend()
plt.show()

# %% [markdown]
# ## A study: error, overlap and local energy against the number of patterns
#
# `networks.run` does all of the above over a range of $P$ and returns a labelled dataset. The figure of the paper is a sweep of the
# quantity `networks`, one block for each $P$; this is its quick version (`fmjax figure 8 --quick --out DIR`).

# %%
dataset = deep_networks.compute(quick=True)
deep_networks.draw(dataset)
