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
# # Sweeps: a phase diagram from a store
#
# A sweep computes one quantity over a grid of controls, block by block, into a labelled store that survives interruption: on the command
# line `fmjax sweep FILE.toml --out STORE.zarr [--resume] [--workers W | --scheduler ADDRESS]`, in Python `fmjax.sweep`. It needs the extra
# `fmjax[sweeps]`.

# %%
import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"  # two devices on one CPU; a GPU node needs no flag

# %%
import tempfile
from pathlib import Path

import jax
import matplotlib.pyplot as plt

import fmjax

jax.config.update("jax_enable_x64", True)
print(jax.devices())

# %% [markdown]
# ## Describe it, estimate it, run it
#
# Blocks are spread over all devices. `estimate` says what it would take, and computes nothing.

# %%
request = {"quantity": "entropy", "block": 40, "grid": {"alpha": "0.05:0.95:37", "margin": "-0.2:0.8:41"}}
store = Path(tempfile.mkdtemp()) / "entropy.zarr"
fmjax.sweeps.estimate(request, store)

# %%
dataset = fmjax.sweep(request, store)
dataset

# %% [markdown]
# ## Look at it
#
# The store is an xarray dataset with units, error estimates, a `result` for every point, and provenance in its attributes. The line
# where the entropy vanishes is the capacity.

# %%
print(fmjax.sweeps.outcomes(dataset))
figure, axes = plt.subplots(figsize=(5.5, 3.5), layout="constrained")
good = dataset.entropy.where(dataset.result == "converged")
good.transpose("margin", "alpha").plot.contourf(ax=axes, levels=20, cmap="RdBu_r", vmin=-0.7, vmax=0.7)
good.transpose("margin", "alpha").plot.contour(ax=axes, levels=[0.0], colors="black")
axes.set(xlabel=r"load $\alpha$", ylabel=r"margin $\kappa$", title="entropy of typical solutions")
plt.show()

# %% [markdown]
# ## Ask it
#
# Between points, `interpolate` uses converged neighbours only, and refuses otherwise.

# %%
between = fmjax.sweeps.interpolate(fmjax.open(store), alpha=0.51, margin=0.11)
exact = fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron(margin=0.11)), alpha=0.51)
print(f"interpolated {float(between.entropy):.5f}, exact {exact.entropy:.5f}")

# %% [markdown]
# ## Interrupt it
#
# Every block is written with a checksum. A run that was killed goes on with `resume=True`: finished blocks are read and checked, and
# nothing is computed twice. Here everything is there already, so it takes no time.

# %%
again = fmjax.sweep(request, store, resume=True)
print(again.identical(dataset), again.attrs.keys())
