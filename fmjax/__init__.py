r"""Flat minima of binary neural networks: replica theory, thresholds, figures.

A network of binary weights that fits its training patterns usually has many solutions. Most of them are isolated; some
sit in wide flat regions, and those are the ones that learning algorithms find. `fmjax` computes both kinds from the
equations of statistical physics. A guided tour of the symbols, in the order in which they appear:

**The problem.** `N` weights :math:`w_i = \pm 1` learn `P` random patterns.

    alpha       load, patterns per weight, :math:`\alpha = P / N`
    Delta       stability of a pattern, :math:`w \cdot \xi / \sqrt N`; the weights solve it when Delta >= kappa
    kappa       margin: how far from the decision boundary every pattern must lie. `margin` in code

**What is learned** (:class:`Model`; :func:`Perceptron` and :func:`TreeCommittee` make the usual ones). Three parts:

    weights       :class:`Binary`, or real on a sphere, :class:`Spherical`
    architecture  one unit, or a tree committee of many hidden ones; their activation is any function, :class:`LeakyReLU` and
                  :class:`Hermite` have parameters to differentiate
    constraint    :class:`Margin`, Delta >= kappa, or :class:`SymmetricMargin`, -kappa <= Delta <= kappa

A pattern may also have a loss, and weights the probability exp(-beta loss) at an inverse temperature beta, instead of being
solved or not: :class:`Temperature` counts errors, and there are :class:`Hinge`, :class:`CrossEntropy`, and :class:`Power`,
which prefers large stabilities. :func:`thermodynamics` tells their energy and entropy, ``thresholds.inverse_temperature``
the beta of an energy, and ``thresholds.freezing`` that of the least one.

**Typical solutions** (:class:`Equilibrium`). Draw solutions uniformly at random, at margin kappa:

    q           overlap of two of them, :math:`w \cdot w' / N`
    S           their entropy: log of their number, per weight, in nats. Negative: there are none
    d           Hamming distance per weight, in [0, 1]; two solutions at overlap q lie at :math:`d = (1 - q) / 2`

`alpha_c(kappa)` is the load at which S vanishes (:func:`thresholds.capacity`); `kappa_max(alpha)` is the same line read
the other way, the largest margin that has solutions (:func:`thresholds.kappa_max`).

**Around a reference** (:class:`FranzParisi`). Take one typical solution, the reference, with its own margin, and count
the solutions at distance d from it. That count is the local entropy :math:`\phi(d)`; a minimum is flat when it stays
high close to d = 0.

    tilde       belongs to the reference: :math:`\tilde q`, :math:`\tilde\kappa` (`reference_margin`); one that is drawn with
                a loss is ``reference=CrossEntropy(beta)``
    p           overlap with the reference, :math:`p = 1 - 2 d`
    t           overlap of a counted solution with *another* typical reference (`cross_overlap` in tables)
    hat         conjugate of an overlap, the field that fixes it: :math:`\hat q, \hat t, \hat p`; `_hat` in code
    slope       :math:`d\phi / dd`, by automatic differentiation

**Are they clustered?** (:func:`clusters`). Counted solutions may fall into groups of similar ones, and then the entropy that
treats them all alike (replica symmetry, RS) can be wrong. One step of replica-symmetry breaking (1RSB):

    q0, q1      overlap of two solutions of different clusters, and of the same one
    m           replicas in a cluster; 1 where the RS entropy is exact
    complexity  log of the number of clusters, per weight; negative: there are none
    frozen      q1 = 1, every solution a cluster of its own: what binary weights do

**Several solutions close together** (:class:`RobustEnsemble`). No reference, but replicas that are all alike:

    y           how many, up to infinitely many
    q1          overlap of any two of them; their entropy is per weight and replica
    q0          overlap of replicas of two such groups

Around a common centre at distance d from all of them, any weights or a solution (:class:`CentredEnsemble`), they also say
how rare such regions are, and with as many of them as leave no entropy of centres, how dense the densest ones:

    S_I         local entropy around such a centre
    S_E         entropy of centres that have it; negative: there are none

**Thresholds of the landscape** (:mod:`thresholds`). As the reference margin grows at fixed alpha:

    kappa_min   above it, phi(d) is nowhere negative: the reference is no longer cut off from the rest
    kappa_u     above it, phi(d) rises monotonically to its maximum: the reference lies in a wide connected region
    alpha_u     the load at which even the best reference, the one at kappa_max, stops doing so

Of robust ensembles: ``robust_alpha_u``, the same for infinitely many replicas, ``centred_alpha_u``, for the densest regions
that exist (just before, at ``centred_fold``, these begin to have branches), and ``robust_capacity``, the load from which on
there are no replicas, or groups of replicas, at some distance.

All of them can be differentiated; :func:`climb` follows such gradients in the parameters of a model.

**Single instances** (:mod:`message_passing`). The same questions without replicas, on given patterns:

    B           field on a weight, half the log-odds of its signs; its mean over solutions is :math:`m = \tanh B`
    y, gamma    replicas of the weights and the strength of their attraction: :func:`message_passing.focusing` looks for
                solutions in flat regions
    gamma       also the field along a solution that makes belief propagation count its neighbours at distance d
    K           hidden units of a :class:`message_passing.Committee`, finitely many: a tree, or all with the same inputs

**Networks that learn images** (:mod:`networks`). Binary weights and sign activations in several layers, trained by gradient:

    P           number of training patterns; the algorithmic threshold is the largest P that all networks learn
    overlap     of two networks, after their hidden neurons were permuted and flipped to match
    local energy    train error E(f) after flipping a fraction f of the weights; flat where it stays at zero

**Learning from a teacher** (``Perceptron(teacher=True)``). Labels are those of another network of binary weights:

    R           overlap with the teacher; at margin 0 it is q, a solution and the teacher being alike
    transition  :func:`thresholds.perfect_generalisation`: above that load the teacher is the only typical solution, although
                others trap a search for it up to :func:`thresholds.spinodal`

**Grids** (:mod:`sweeps`). :func:`sweep` computes any of these quantities over a product of controls, into a store that
survives interruption; :func:`open` reads it as an xarray dataset.

**How it is computed.** A functional (:mod:`replica`, of :mod:`models`) is defined once, as a scalar of its order parameters
and controls, and where it is stationary overlaps are correlations of mean weights, and their fields of forces: :func:`solve`
finds these fields by Newton's method, :func:`curve` follows them along one control (:mod:`solvers`), and derivatives come
from JAX, integrals from :mod:`quadrature` and :mod:`special`. All figures of the paper: :mod:`reproduce`. What an answer
says of how far it can be trusted:

    residual        norm of the equations left over by Newton's method
    error_estimate  absolute bound on the error of the value, from the halves of every quadrature rule
    replicon        positive where the replica-symmetric answer is locally stable (``stable``); where it is not, see
                    :func:`clusters`, and of spherical weights at capacity :func:`thresholds.one_step_capacity`
    result          "converged", or a sentence that says why not

Entropies are natural logarithms per weight everywhere. The theory needs float64, and importing `fmjax` changes no
setting of JAX: begin a program with ``jax.config.update("jax_enable_x64", True)``.
"""

from typing import Any

import lazy_loader

__version__ = "0.2.0"

# Names stand in `__init__.pyi`, and are fetched on first use: `fmjax --help` must answer without waiting for JAX.
_fetched, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in __all__:
        return _fetched(name)
    raise AttributeError(f"module 'fmjax' has no attribute {name!r}; it offers {', '.join(__all__)}")
