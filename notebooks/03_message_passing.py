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
# # Message passing on single instances
#
# The replica theory speaks of typical instances in the limit of many weights. Belief propagation (BP) works on *one*: it estimates
# the marginals of all solutions, counts them, and, focused by attracting replicas, finds one in a wide flat region.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fmjax
from fmjax.message_passing import (
    Committee,
    FocusingClassifier,
    Instance,
    belief_propagation,
    bethe_entropy,
    focusing,
    local_entropy,
    polarisation,
)
from fmjax.reproduce.plotting import binary_entropy

jax.config.update("jax_enable_x64", True)

# %% [markdown]
# ## How many solutions has this instance?
#
# The Bethe entropy of one instance of 2001 weights, next to the entropy of the theory: they differ by fluctuations of order
# $1/\sqrt N$ and by what BP neglects, of order $1/N$.

# %%
instance = Instance.random(jax.random.key(0), size=2001, alpha=0.5)
beliefs = belief_propagation(instance, dtype=jnp.float64)
theory = fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron()), alpha=0.5)
print(f"BP {beliefs.result}: entropy {bethe_entropy(instance, beliefs):.5f}, theory {theory.entropy:.5f}")
print(f"overlap of two solutions: {jnp.mean(beliefs.magnetisations**2):.4f}, theory {theory.order.q:.4f}")

# %% [markdown]
# ## Watch focusing make up its mind
#
# BP alone does not choose: its magnetisations $m_i = \tanh(B_i + u_i)$ stay in between. Focusing BP adds replicas whose attraction grows,
# and the magnetisations polarise until their signs satisfy every pattern, which is checked in integers.

# %%
hard = Instance.random(jax.random.key(1), size=2001, alpha=0.7)
found = focusing(hard)
seen = polarisation(hard, sweeps=int(found.sweeps))
print(f"{found.result} after {found.sweeps} sweeps, {found.errors} patterns violated")

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
left.plot(seen.magnetisations[:, :80], color="C0", linewidth=0.4, alpha=0.6)
left.set(xlabel="sweep", ylabel="magnetisation", title="80 of 2001 weights")
middle.hist(seen.magnetisations[::40].T, bins=30, histtype="step", density=True)
middle.set(xlabel="magnetisation", ylabel="density", title="every 40 sweeps")
right.semilogy(seen.errors)
right.set(xlabel="sweep", ylabel="fewest violated patterns")
plt.show()

# %% [markdown]
# ## The neighbourhood of what was found
#
# A field $\gamma$ along a solution makes BP count the solutions at a distance that shrinks as $\gamma$ grows. The first solution that
# focusing meets lies at the edge of its region; to the end of the schedule it goes inside, to a density of solutions that only typical
# references at the largest margin, $\kappa_\max$, have (the theory's curve). Only points where BP converged are drawn.

# %%
largest = fmjax.thresholds.kappa_max(fmjax.Perceptron(), 0.5).value
curve = fmjax.curve(fmjax.FranzParisi(fmjax.Perceptron(), largest), alpha=0.5, distance=jnp.geomspace(2e-3, 0.4, 60))

figure, panels = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for axes in panels:
    axes.plot(curve.distance, curve.entropy, label=r"theory, reference at $\kappa_{\max}$")
    axes.plot(curve.distance, binary_entropy(curve.distance), ":k", label="binary entropy")
for name, chosen in {"the first solution": focusing(instance), "the last one": focusing(instance, to_the_end=True)}.items():
    local = local_entropy(instance, chosen.weights)
    for axes in panels:
        axes.plot(local.distance[local.converged], local.entropy[local.converged], "o", ms=4, label=f"BP around {name}")
    print(f"{name}: smallest stability {instance.sums(chosen.weights).min() / instance.size**0.5:.3f}")
panels[0].set(xlabel="distance $d$", ylabel="local entropy", xlim=(0, 0.4))
panels[1].set(xlabel="distance $d$", xlim=(0, 0.02), ylim=(0, 0.1), xticks=(0, 0.01, 0.02))
panels[0].legend()
plt.show()

# %% [markdown]
# ## How hard is it?
#
# A batch of instances is one program. Up to $\alpha = 0.7$ focusing solves nearly all; close to $\alpha'_U \approx 0.73$ it begins to fail, far
# below the capacity 0.833. (Larger sizes and more samples: `benchmarks/focusing.py`.)

# %%
for alpha in (0.5, 0.6, 0.7, 0.78):
    batch = focusing(Instance.random(jax.random.key(2), size=501, alpha=alpha, samples=10))
    print(f"alpha = {alpha:.2f}: {int(batch.solved.sum())} of 10 solved, {batch.sweeps.mean():.0f} sweeps on average")

# %% [markdown]
# ## Committees
#
# Everything above takes a `committee` of finitely many hidden units as well: here a tree of 9 sign units. Around solutions that focusing
# finds there are more others than around typical references at the largest margin: focusing does not find typical solutions. (Part of the
# difference is due to 9 units, where the theory has infinitely many; around trees of ReLU units it is much smaller: figures 6 and 7.)

# %%
tree = Instance.random(jax.random.key(3), size=999, alpha=0.5, committee=Committee("sign", units=9, tree=True))
found = focusing(tree, to_the_end=True)
local = local_entropy(tree, found.weights, damping=0.8)
theory = fmjax.TreeCommittee("sign")
largest = fmjax.thresholds.kappa_max(theory, 0.5).value
curve = fmjax.curve(fmjax.FranzParisi(theory, largest), alpha=0.5, distance=jnp.geomspace(5e-3, 0.4, 40))
print(f"{found.result}, checked in integers: {int(tree.errors(found.weights))} of {tree.count} patterns violated")

figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
axes.plot(curve.distance, curve.entropy, label=r"theory, reference at $\kappa_{\max}$")
axes.plot(curve.distance, binary_entropy(curve.distance), ":k", label="binary entropy")
axes.plot(local.distance[local.converged], local.entropy[local.converged], "o", ms=4, label="BP around a solution")
axes.set(xlabel="distance $d$", ylabel="local entropy", xlim=(0, 0.2), ylim=(0, 0.4))
axes.legend()
plt.show()

# %% [markdown]
# ## Your own data
#
# `FocusingClassifier` is an estimator of scikit-learn: real features become signs, replicas vote. Whether a handwritten digit is odd is
# learned without an error from 100 images by every replica, and the majority of five knows more than one of them. On the command line:
# `fmjax focusing --patterns X.npy --labels y.npy`.

# %%
digits = load_digits()
parity = np.where(digits.target % 2, "odd", "even")
images, others, labels, expected = train_test_split(digits.data, parity, train_size=100, stratify=parity, random_state=0)
singles = [FocusingClassifier(units=5, random_state=seed).fit(images, labels) for seed in range(5)]
majority = FocusingClassifier(units=5, replicas=5, random_state=0).fit(images, labels)
print(
    f"training errors: one network {[int(single.errors_.sum()) for single in singles]}, each of five {majority.errors_.tolist()}"
)
print(
    f"right on {len(others)} other images: one network {np.mean([single.score(others, expected) for single in singles]):.3f}"
)
print(f"                              majority of five {majority.score(others, expected):.3f}")
