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
# # The geometry of solutions
#
# A binary perceptron has $N$ weights $w_i = \pm 1$ and learns $P = \alpha N$ random patterns, each with margin at least $\kappa$.
# How many solutions are there, how far apart are they, and what does the neighbourhood of one look like?
# `help(fmjax)` explains every symbol; the equations are in the docstrings.

# %%
import ipywidgets as widgets
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

import fmjax
from fmjax.reproduce import figures, phase_diagram
from fmjax.reproduce.plotting import binary_entropy

jax.config.update("jax_enable_x64", True)  # the theory needs float64; importing fmjax changes no setting

# %% [markdown]
# ## Typical solutions
#
# `solve` makes a free entropy stationary. For `Equilibrium` that is the entropy $S(\alpha, \kappa)$ of solutions drawn at random:
# the logarithm of their number, per weight. Every result says how it was reached: `residual`, `error_estimate`, `result`.

# %%
model = fmjax.Perceptron(margin=0.0)
point = fmjax.solve(fmjax.Equilibrium(model), alpha=0.5)
print(f"S = {point.entropy:.10f}   q = {point.order.q:.8f}   distance = {point.distance:.8f}")
print(f"error estimate {point.error_estimate:.0e}, {point.result} after {point.steps} steps")

# %% [markdown]
# Larger margins have fewer solutions, and these lie closer together. Where $S = 0$ there are no more: $\kappa_\max(\alpha)$.
# A whole line is one `vmap`.


# %%
@jax.jit
@jax.vmap
def typical(margin):
    return fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron(margin)), alpha=0.5)


largest = fmjax.thresholds.kappa_max(model, 0.5)
line = typical(jnp.linspace(0.0, largest.value, 60))
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(jnp.linspace(0.0, largest.value, 60), line.entropy)
left.set(xlabel=r"margin $\kappa$", ylabel=r"entropy $S$ (nats per weight)", title=r"$\alpha = 0.5$")
right.plot(jnp.linspace(0.0, largest.value, 60), line.distance)
right.set(xlabel=r"margin $\kappa$", ylabel="distance of two solutions", title=rf"$\kappa_{{\max}} = {largest.value:.6f}$")
plt.show()

# %% [markdown]
# ## Around one solution
#
# Take a typical solution of margin $\tilde\kappa$, the *reference*, and count the solutions (of margin 0) at distance $d$ from it. The
# Franz–Parisi entropy $\phi(d)$ is the logarithm of that number. At $\tilde\kappa = 0$ the reference is isolated: $\phi < 0$ at small
# distances. A reference of large margin is surrounded by solutions at every distance, nearly as many as there are points (dotted).


# %%
@jax.jit
def around(alpha, reference_margin, distance):
    return fmjax.curve(fmjax.FranzParisi(model, reference_margin), alpha=alpha, distance=distance)


distance = jnp.concatenate([jnp.geomspace(5e-4, 0.05, 60), jnp.linspace(0.055, 0.5, 60)])


def draw(axes, alpha, share):
    """phi(d) around a reference whose margin is a share of the largest one."""
    margin = share * fmjax.thresholds.kappa_max(model, alpha).value
    curve = around(alpha, margin, distance)
    label = rf"$\tilde\kappa = {margin:.3f}$"
    return axes.plot(distance, jnp.where(curve.converged, curve.entropy, jnp.nan), label=label)


# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for axes in (left, right):
    for share in (0.0, 0.05, 0.08, 0.3, 1.0):
        draw(axes, 0.5, share)
    axes.plot(distance, binary_entropy(distance), ":k", label="binary entropy")
    axes.axhline(0, color="0.7", linewidth=0.6)
    axes.set(xlabel="distance $d$", ylabel=r"local entropy $\phi$")
left.legend()
right.set(xlim=(0, 0.02), ylim=(-0.01, 0.06), xticks=[0, 0.005, 0.01, 0.015, 0.02], title="small distances")
plt.show()

# %% [markdown]
# ## Live: move the load and the margin of the reference
#
# Once compiled, a curve of 120 distances takes a fraction of a second, so a slider can recompute it. (In a viewer without a kernel only
# the first picture is shown.)


# %%
@widgets.interact(
    alpha=widgets.FloatSlider(0.5, min=0.1, max=0.8, step=0.02, continuous_update=False),
    share=widgets.FloatSlider(0.2, min=0.0, max=1.0, step=0.02, continuous_update=False, description="κ̃ / κ_max"),
)
def explore(alpha, share):
    figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
    draw(axes, alpha, share)
    axes.plot(distance, binary_entropy(distance), ":k")
    axes.set(xscale="log", xlabel="distance $d$", ylabel=r"local entropy $\phi$", title=rf"$\alpha = {alpha:.2f}$")
    axes.legend()
    plt.show()


# %% [markdown]
# ## The phase diagram
#
# As the margin of the reference grows at fixed $\alpha$, three things happen:
#
# * above $\kappa_\min$, $\phi$ is nowhere negative: the reference is not cut off from the rest;
# * above $\kappa_u$, $\phi$ increases monotonically up to its maximum: the reference lies in a wide, connected region;
# * at $\kappa_\max$ typical solutions end. Beyond $\alpha'_U$, even the reference at $\kappa_\max$ has $\kappa_u > \kappa_\max$: no such region is left.
#
# Each line is the root of a small system whose Jacobian comes from automatic differentiation (notebook 02). The figures of the paper
# are made in the same way: `compute` gives a labelled dataset, `draw` a figure (`fmjax figure phase-diagram --out DIR` does both).

# %%
dataset = phase_diagram.compute(quick=True)
figures["phase-diagram"].draw(dataset)
