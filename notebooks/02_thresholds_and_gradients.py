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
# # Thresholds and their gradients
#
# A threshold is the root of a square system: saddle equations, plus the condition that something vanishes there. Newton's method takes
# the Jacobian from automatic differentiation, a scan finds the start, and the implicit function theorem differentiates the root with respect to
# everything that the model contains.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

import fmjax

jax.config.update("jax_enable_x64", True)
model = fmjax.Perceptron(margin=0.0)

# %% [markdown]
# ## The capacity
#
# $\alpha_c(\kappa)$ is where the entropy of typical solutions vanishes. At $\kappa = 0$ it is the constant of Krauth and Mézard,
# 0.833078599739…; its derivative comes from `jax.grad`, and agrees with finite differences.


# %%
def capacity(margin):
    return fmjax.thresholds.capacity(fmjax.Perceptron(margin=margin)).value


found = fmjax.thresholds.capacity(model)
print(f"alpha_c(0) = {found.value:.13f} ± {found.error_estimate:.0e}, {found.result}")
step = 1e-5
print(f"d alpha_c / d kappa = {jax.grad(capacity)(0.0):.10f} by autodiff")
print(f"                      {(capacity(step) - capacity(-step)) / (2 * step):.10f} by differences")

# %% [markdown]
# A whole curve with its slope is one `vmap`; $\kappa_\max(\alpha)$ is the inverse function, found by another system.

# %%
margins = jnp.linspace(-0.5, 1.5, 41)
values, slopes = jax.jit(jax.vmap(jax.value_and_grad(capacity)))(margins)
back = jax.jit(jax.vmap(lambda alpha: fmjax.thresholds.kappa_max(model, alpha).value))(values)
print(f"kappa_max(alpha_c(kappa)) = kappa within {jnp.max(jnp.abs(back - margins)):.0e}")

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(margins, values)
left.set(xlabel=r"margin $\kappa$", ylabel=r"capacity $\alpha_c$")
right.plot(margins, slopes)
right.set(xlabel=r"margin $\kappa$", ylabel=r"$d\alpha_c/d\kappa$")
plt.show()

# %% [markdown]
# ## Where flat regions disappear
#
# $\alpha'_U$ is the load at which even references at $\kappa_\max$ stop having a monotonic local entropy: there $\phi' = \phi'' = 0$ at a
# small distance. Ten unknowns, one Newton solve.

# %%
flat = fmjax.thresholds.alpha_u(model)
print(f"alpha'_U = {flat.value:.10f} ± {flat.error_estimate:.0e}")
print(f"at margin {flat.margin:.6f} and distance {flat.distance:.6f}: {flat.result}")

distance = jnp.geomspace(1e-3, 0.05, 60)
figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
around = jax.jit(lambda a, k: fmjax.curve(fmjax.FranzParisi(model, k), alpha=a, distance=distance))
for alpha in (0.72, float(flat.value), 0.74):
    curve = around(alpha, fmjax.thresholds.kappa_max(model, alpha).value)
    axes.plot(distance, curve.slope, label=rf"$\alpha = {alpha:.4f}$")
axes.axhline(0, color="0.7", linewidth=0.6)
axes.set(xscale="log", xlabel="distance $d$", ylabel=r"$\phi'(d)$", ylim=(-0.2, 2))
axes.legend()
plt.show()

# %% [markdown]
# ## How sensitive is a local entropy?
#
# Every number is differentiable: here $\phi$ with respect to load, margins and distance at once.


# %%
def entropy(alpha, margin, reference_margin, distance):
    functional = fmjax.FranzParisi(fmjax.Perceptron(margin), reference_margin)
    return fmjax.solve(functional, alpha=alpha, distance=distance).entropy


value, gradient = jax.jit(jax.value_and_grad(entropy, argnums=(0, 1, 2, 3)))(0.5, 0.0, 0.3, 0.05)
print(f"phi = {value:.8f}")
for name, derivative in zip(("alpha", "margin", "reference margin", "distance"), gradient, strict=True):
    print(f"d phi / d {name:<17}= {derivative:+.8f}")

# %% [markdown]
# ## Thresholds as something to optimise
#
# The same holds for the activation of a tree committee: its kernel is differentiable, and so are the thresholds built on it. `climb`
# follows the gradient of any score. Here, of the activations $g(u) = \sin\theta\, h_1(u) + \cos\theta\, h_3(u)$ (normalised Hermite
# polynomials), which has the largest capacity? At $\theta = \pi/2$ the committee is linear, a perceptron, 0.8331. The climb ends close to
# the first-moment bound, 1: the smaller the linear part, the less typical solutions overlap, and the more of them there are.


# %%
def score(theta):
    coefficients = jnp.stack([jnp.sin(theta), jnp.zeros_like(theta), jnp.cos(theta)])  # of h_1, h_2, h_3
    return fmjax.thresholds.capacity(fmjax.TreeCommittee(fmjax.Hermite(coefficients))).value


way = fmjax.climb(score, jnp.asarray(1.2), steps=15)
for step in (0, 5, 10, 15):
    print(f"theta = {way.parameters[step]:.3f}: alpha_c = {way.values[step]:.6f}")

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.plot(way.values, "o-", ms=3)
axes.set(xlabel="step", ylabel=r"capacity $\alpha_c$")
plt.show()

# %% [markdown]
# The capacity alone is not the point, though: what counts is how far flat regions reach towards it. `benchmarks/activations.py` climbs
# $\alpha'_U/\alpha_c$ in the same way (a few minutes to compile, once for all families). From the slope 0.5 of a leaky ReLU, from
# $0.8\,h_1 + 0.3\,h_2 + 0.5\,h_3$ and from $\tanh u$, the gradient leads to the linear activation, and nothing on the way is above it: the
# perceptron wins.
#
# | step | leaky slope | ratio | $c_1, c_2, c_3$ | ratio | $a$ in $\tanh(a u)$ | ratio |
# |---|---|---|---|---|---|---|
# | 0 | 0.500 | 0.87207 | 0.80, 0.30, 0.50 | 0.85144 | 1.000 | 0.86669 |
# | 5 | 0.742 | 0.87449 | 1.04, 0.05, 0.25 | 0.87118 | 0.752 | 0.87121 |
# | 10 | 0.941 | 0.87508 | 1.21, −0.11, 0.04 | 0.87483 | 0.519 | 0.87379 |
# | 15 | 1.072 | 0.87507 | 1.31, −0.09, −0.09 | 0.87471 | 0.321 | 0.87482 |
# | perceptron | 1 | 0.87511 | 1, 0, 0 | 0.87511 | 0 | 0.87511 |
