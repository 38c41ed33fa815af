"""How computations end, in sentences, a table for each kind: status codes are places in it, the first one is success.

Here, because to list them must not import JAX.
"""

__all__ = [
    "AROUND_FOUND",
    "BELIEFS",
    "CONVERGED",
    "FEW_FLIPS",
    "FOCUSING",
    "LOCAL_ENTROPY",
    "NETWORKS",
    "NO_POINT",
    "PHASES",
    "THEORY",
]

CONVERGED = "converged"
NO_POINT = "a scan over the whole range found no point where this threshold could lie"
THEORY = (
    CONVERGED,
    "no Newton step reduces the residual any further: there is no solution nearby",
    "the number of Newton steps ran out before the residual reached its tolerance",
    "the equations are not finite at the start or at every trial step",
    "the branch could not be followed to this distance: it ends, or turns, before it",
    "the reference has no solution at this alpha and margin",
    NO_POINT,
    "there are no typical solutions at this alpha and the margin of those that are counted",
    "the error estimate is as large as the answer: the integrals need more nodes than these, see nodes=",
    "the best centres here are those of more replicas than the integrals resolve: infinitely many are close, see replicas",
    "the centre has no solution at this alpha and its own margin: give a smaller one, see centre_margin",
)
BELIEFS = (
    CONVERGED,
    "the number of sweeps ran out before the fields stopped changing",
    "a sweep gave fields that are not finite: the last finite ones are kept",
    "contradiction: no weights can satisfy all patterns, or the fields hold the weights where patterns are violated",
)
FEW_FLIPS = 5
LOCAL_ENTROPY = (
    *BELIEFS,
    f"fewer than {FEW_FLIPS} weights differ on average: Gaussian messages are not reliable there",
)
FOCUSING = (
    "solved",
    "not solved: the schedule ended before a solution was found",
    "not solved: a sweep gave fields that are not finite",
    "not solved: some pattern cannot be satisfied by any weights",
)
AROUND_FOUND = (*LOCAL_ENTROPY, *(f"there is no solution to measure around: {sentence}" for sentence in FOCUSING[1:]))
NETWORKS = (CONVERGED, "not learned: some training patterns are still wrong", "the dataset has fewer images than patterns")
PHASES = (  # of counted solutions, with one step of replica-symmetry breaking
    "isolated solutions, replica symmetry is exact",
    "clusters, the replica-symmetric entropy is exact",
    "clusters, replica symmetry is broken",
    "no solutions",
    "replica symmetry is unstable, no clusters were found",
    "not known, see the result",
)
