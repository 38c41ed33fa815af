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
# # What was found
#
# Results that took longer than a notebook should, each with the command that makes it again; the cells compute what is quick. How long
# things take, and on which machine, is in `benchmarks/RESULTS.md`.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

import fmjax

jax.config.update("jax_enable_x64", True)
model = fmjax.Perceptron()

# %% [markdown]
# ## The paper, statement by statement
#
# `fmjax reproduce --out out` checks 24 statements of the paper against its own numbers: 23 agree. (The full run, networks included, took
# 51 minutes on 2 cores that did other work as well.) The one that does not is the value of $\alpha'_U$, 0.76 in print and 0.729033 here. At
# $\alpha = 0.76$ the curve at $\kappa_\max$ falls only for $d$ in [0.0007, 0.0135], which a coarser look at it would miss:

# %%
distance = jnp.geomspace(2e-4, 0.1, 60)
largest = fmjax.thresholds.kappa_max(model, 0.76).value
curve = fmjax.curve(fmjax.FranzParisi(model, largest), alpha=0.76, distance=distance)
falls = distance[curve.slope < 0]
print(
    f"alpha = 0.76, reference at kappa_max = {largest:.6f}: the local entropy falls from d = {falls[0]:.4f} to {falls[-1]:.4f}"
)

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(distance, curve.entropy)
left.set(xlabel="distance $d$", ylabel=r"local entropy $\phi$")
right.plot(distance, curve.slope)
right.axhline(0, color="0.7", linewidth=0.6)
right.set(xscale="log", xlabel="distance $d$", ylabel=r"$\phi'(d)$", ylim=(-0.5, 2))
plt.show()

# %% [markdown]
# The solutions that focusing finds first lie up to 0.003 below the curve of $\kappa_\max$ at small distances, since they lie at the edge of
# their region (smallest stability 0.016 at $N = 4001$, `fmjax local-entropy`); those it ends with (0.25) lie on it or above, as the
# paper says ($N = 10001$, 10 instances: between −0.0002 and +0.0078).
#
# The same holds of trees of ReLU units at $\alpha = 0.5$ ($K = 50$, $N = 1050$, figure 6: between −0.0002 and +0.0081, in the theory at the
# margin half way between two sums). On trees of sign units the entropy around what focusing finds is larger than around typical solutions
# of any margin: +0.04 at $d = 0.06$ ($K = 9$, $N = 999$, figure 7), of which the finite $K$ is a part (+0.03 for $K = 25$).
#
# ## Committees, and the distance at which flat regions disappear
#
# Thresholds at margin 0, a stage of `fmjax reproduce --out out`; error estimates below 2e-12. The fold at which flat regions disappear lies at a small distance for all of
# them; relative to the capacity, the perceptron keeps them longest:
#
# | model | $\alpha_c$ | $\alpha'_U$ | distance of the fold | $\alpha'_U / \alpha_c$ |
# |---|---|---|---|---|
# | perceptron | 0.8330785997 | 0.7290328105 | 0.0049967 | 0.875 |
# | committee, sign | 0.9469524269 | 0.5577886160 | 0.0017286 | 0.589 |
# | committee, ReLU | 0.9039862813 | 0.7724885929 | 0.0054525 | 0.855 |
# | committee, leaky ReLU (0.1) | 0.8878522552 | 0.7634487106 | 0.0053299 | 0.860 |
# | committee, erf | 0.8698141961 | 0.7515920057 | 0.0054185 | 0.864 |
# | committee, tanh | 0.8632566486 | 0.7481778607 | 0.0053115 | 0.867 |
# | committee, GELU | 0.9036708787 | 0.7813671175 | 0.0052169 | 0.865 |

# %%
for activation in ("sign", "relu", "leaky-relu", "erf", "tanh", "gelu"):
    print(f"{activation:<12}{fmjax.thresholds.capacity(fmjax.TreeCommittee(activation)).value:.10f}")

# %% [markdown]
# ## Does any activation keep them longer?
#
# `benchmarks/activations.py` follows the gradient of $\alpha'_U/\alpha_c$ (which agrees with finite differences to 1e-8) in the slope of
# leaky ReLU, in the coefficients of a Hermite sum and in the steepness of tanh, with steps of 0.05 of Adam. All three lead to the linear activation
# (Adam overshoots the first two): the perceptron wins, with 0.875107, and nothing on the way is above it; the ways are in notebook 02.
#
# One per cent of the variance in $h_2, h_3, h_4, h_5$ lowers the ratio by 0.0002, 0.0006, 0.0013, 0.0022, the more the higher the degree;
# every activation is a sum of these. $\alpha'_U$ itself is another matter: nonlinear activations raise it, up to 0.837 with 80 % of the
# variance in $h_2$, but the capacity rises more.
#
# ## One step of replica-symmetry breaking
#
# The paper could not solve its equations at small distances. At $m = 1$ they reduce to one in one unknown, all of whose roots a scan
# finds (`python benchmarks/one_step.py --only search`). Of 896 points (8 loads from 0.2 to 0.825, 7 reference margins from 0 to
# 0.999 $\kappa_\max$, 16 distances from 0.001 to 0.4) 828 have a replica-symmetric answer:
#
# | counted solutions | points | replicon | stable clusters at $m = 1$ |
# |---|---|---|---|
# | isolated: the replica-symmetric entropy is exact (not negative) | 531 | at least 0.459 | none |
# | none: the complexity of isolated solutions is negative | 297 | negative at small distances and margins | none |
#
# So wherever the replica-symmetric local entropy is not negative it stands; the solutions around a reference, flat or not, are themselves
# isolated, and where it is negative there are none. The same search finds broken symmetry where it is known to be: for the perceptron
# with |stability| > 1.2 at $\alpha = 0.4$ the entropy falls below the symmetric one, at $m < 1$, stationary in all five order parameters of
# the literal free entropy (`tests/test_one_step.py`).
#
# ## Replicas that lie close together
#
# The thresholds of infinitely many replicas are those of a replica-symmetric ansatz, which breaks the exact inequality between numbers of
# replicas from about 16 on (7 % at infinitely many, $\alpha = 0.6$, $d = 0.05$):
#
# | `fmjax threshold` | | |
# |---|---|---|
# | `robust-alpha-u` | 0.755302026 | |
# | `centred-alpha-u` | 0.766820576 | the large-deviation $\alpha_U$ in print is about 0.77, 0.77 to 0.78, and 0.7764 |
# | `robust-capacity --replicas inf` | 0.814218475 | |
# | `robust-capacity` of 2, 3, 4, 8, 12 replicas | 0.798774, 0.787586, 0.784382, 0.791546, 0.800169 | in print, dense clusters end at 0.784, estimated with a few replicas |
#
# The smallest entropy over 4 to 24 replicas is monotonic up to $\alpha = 0.78$ and not at 0.80. Infinitely many replicas closer than about
# 0.005 are not always found, and the rows say so.
#
# ## Which instances does focusing solve?
#
# Up to $\alpha = 0.7$ nearly all, from 0.76 on hardly any (`python benchmarks/focusing.py solved`). In between, at 0.74, whether a solution is
# found is a property of the instance: at $N = 2001$ both forms, O(N + P) and edge by edge, with 2,500 sweeps, solved the same four of eight
# instances, after 1337, 1997, 1629, 1797 and 1337, 1977, 1635, 1804 sweeps. More sweeps hardly help: 2,500 solve 19 of 32, 5,000 and 10,000 solve 22.
#
# ## Networks that learn images
#
# `fmjax networks --dataset NAME`; 10 networks at each $P$, 6 for digits and CIFAR-10; the threshold is the largest $P$ of the sweep that all learn,
# with its 95 % bootstrap interval over seeds:
#
# | data, hidden layers | weights | threshold | matched overlap there (smallest $P$) | of random networks | slope of the local energy at 0 | its rise from $f$ = 0 to 0.01, 0.05, 0.5 |
# |---|---|---|---|---|---|---|
# | digits, 51-51 | 6,375 | 300 [300, 400] | 0.452 ± 0.005 (0.337) | 0.286 ± 0.002 | 0.23 ± 0.09 | 0.005, 0.043, 0.93 |
# | MNIST odd/even, 101-101 | 89,486 | 7,500 [7,500, 10,000] | 0.155 ± 0.001 (0.117) | 0.1115 ± 0.0002 | 0.066 ± 0.015 | 0.001, 0.012, 0.50 |
# | FashionMNIST, 101-101 | 90,395 | 2,000 [2,000, 2,000] | 0.165 ± 0.001 (0.114) | 0.1104 ± 0.0002 | 0.16 ± 0.05 | 0.004, 0.053, 0.92 |
# | CIFAR-10, subset of 5,085, 101-101-101 | 331,684 | 2,000 [2,000, 2,000] | 0.1061 ± 0.0008 (0.060) | 0.0595 ± 0.0002 | 0.30 ± 0.03 | 0.009, 0.111, 0.91 |
#
# Beyond the threshold half of the networks learn 3,000 patterns of CIFAR-10, and none 4,000. Overlaps stay far below 1 at every $P$, hardly
# above what the matching gives to random networks at small $P$, and they grow with $P$. The local energy is convex up to $f$ of about 0.06
# (CIFAR-10) to 0.2 and starts with a slope several times below its chord to saturation. It is not exactly zero: the slope comes from
# patterns learned with the smallest margin, and training that goes on after the last error lowers it (CIFAR-10, $P = 300$: 1.9 ± 0.3 after
# 100 epochs, 0.20 ± 0.08 after 400), as does width (0.6 ± 0.3 for 301-301-301 after 100).
#
# ## What else was checked
#
# Besides the table of the README:
#
# | quantity | here | check |
# |---|---|---|
# | spherical capacity at margin 0 | 2 within 1e-9 | Gardner, Cover |
# | planted $\alpha'_U$ (`alpha_u` with a teacher) | 1.04664723, at margin 0.0915, distance 0.0039 | the minimum slope at $\kappa_\max$ changes sign within 0.003 of it |
# | random local entropies, 246 points, $d$ from 1e-4 to 0.5, margins of the reference up to $\kappa_\max$ | entropies within 1e-8, and so are 98 % of the slopes; none off by more than its error estimate | 1.5 times the nodes |
# | entropies of infinitely many replicas | within 1e-7 | nested adaptive quadrature |
# | `robust_capacity` of finitely many | positive at every other distance | $y$ copies of one solution have a $y$-th of its entropy |
# | $d\phi/d\gamma = p$ of the O(N + P) form of belief propagation | 1e-7 | finite differences |
