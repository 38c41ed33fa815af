"""Networks of binary weights that learn by focusing, as an estimator of scikit-learn."""

from __future__ import annotations

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from fmjax.checks import one_of, refuse_masked, whole
from fmjax.message_passing.checks import strength_of
from fmjax.message_passing.committee import Committee
from fmjax.message_passing.focusing import Focused, asked, focus
from fmjax.message_passing.instance import Instance
from fmjax.message_passing.schedules import PseudoReinforcement

__all__ = ["ENCODINGS", "FocusingClassifier"]

ENCODINGS = ("threshold", "random", "none")


class FocusingClassifier(ClassifierMixin, BaseEstimator):
    """Two classes, learned by fully connected committees of binary weights: `focusing` on patterns of ±1.

    Each of several replicas, which differ by the random field they start in, looks for weights that classify every training
    pattern; they decide by majority. Nothing is fitted beyond that, there is no loss.

    Where the number of inputs is even, a constant one is added, so that no hidden unit is ever undecided.

    Args:
        units: hidden units ``K``; 1 is a perceptron. An even number leaves ties, which count as the first class.
        activation: of the hidden units, see `Committee`.
        margin: smallest stability of a training pattern, in units of the pre-activation.
        replicas: networks that vote.
        encoding: how features become ±1. ``"threshold"``: whether they exceed their mean in training, which leaves ±1 and
            0/1 what they are; ``"random"``: signs of ``features`` random linear functions of the standardised ones;
            ``"none"``: they are ±1, and anything else is an error.
        features: number of random linear functions.
        damping: see `focusing`; patterns that are alike need much of it, and with it a long schedule.
        random_field: standard deviation of the random field at the start.
        steps: of the schedule, `PseudoReinforcement`.
        random_state: seed of the random fields and features; None, a number, or a generator of NumPy.

    Attributes:
        classes_: both labels; the second one is where `decision_function` is positive.
        weights_: ±1, int8, shape ``(replicas, K, n)``, ``n`` inputs of a unit.
        errors_: training patterns that each replica has wrong, shape ``(replicas,)``: all zero where everything was learned.
        n_iter_: sweeps of the slowest replica.
        n_features_in_: features seen in training.

    Example:
        >>> import numpy as np
        >>> from fmjax.message_passing import FocusingClassifier
        >>> X = np.random.default_rng(0).choice([-1, 1], (60, 41))
        >>> y = np.where(X[:, :5].sum(axis=1) > 0, "yes", "no")
        >>> classifier = FocusingClassifier(units=3, random_state=0).fit(X, y)
        >>> int(classifier.errors_.sum()), classifier.score(X, y)
        (0, 1.0)
    """

    def __init__(  # anything can be set, as scikit-learn has it: `fit` refuses what makes no sense
        self,
        units: Any = 5,
        *,
        activation: Any = "sign",
        margin: Any = 0.0,
        replicas: Any = 1,
        encoding: Any = "threshold",
        features: Any = 501,
        damping: Any = 0.97,
        random_field: Any = 0.3,
        steps: Any = 1000,
        random_state: Any = None,
    ):
        self.units = units
        self.activation = activation
        self.margin = margin
        self.replicas = replicas
        self.encoding = encoding
        self.features = features
        self.damping = damping
        self.random_field = random_field
        self.steps = steps
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> FocusingClassifier:
        """Learn patterns ``X``, shape ``(P, features)``, and labels ``y`` of two classes, shape ``(P,)``.

        Returns:
            The estimator itself. A `ConvergenceWarning` says how many replicas did not learn all patterns: ``weights_`` are
            then those with the fewest ``errors_``.

        Raises:
            ValueError: a parameter, a feature or a label that makes no sense, or another number of classes than two.
        """
        for name, given in (("X", X), ("y", y)):  # of masks scikit-learn knows nothing
            refuse_masked(name, given)
        X, y = validate_data(self, X, y)  # pyright: ignore[reportGeneralTypeIssues]
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) != 2:
            count = f"{len(self.classes_)} class" + "es" * (len(self.classes_) > 1)
            raise ValueError(f"Only binary classification is supported: labels must be of two classes, not {count}")
        random = check_random_state(self.random_state)
        replicas, field = whole("replicas", self.replicas, 1), strength_of(self.random_field)
        self._encode(X, random)
        instance = self._instance(self._signs(X), 2 * labels - 1)
        schedule, options = asked(
            instance, PseudoReinforcement(whole("steps", self.steps, 1)), "float32", self.damping, 1e-3, "amp"
        )
        start = field * jax.random.normal(jax.random.key(random.randint(2**31)), (replicas, instance.size), jnp.float32)

        def learn(push: Array) -> Focused:
            return focus(instance, schedule, False, "amp", options.damping, options.tolerance, options.dtype, push)

        found = jax.vmap(learn)(start)
        self.errors_ = np.asarray(found.errors)
        self.weights_ = np.asarray(found.weights).reshape(replicas, whole("units", self.units, 1), -1)
        self.n_iter_ = int(np.max(found.sweeps))
        if failed := int(np.count_nonzero(self.errors_)):
            told = f"{failed} of {replicas} networks did not learn all {instance.count} patterns"
            warnings.warn(f"{told}: the fewest errors of each are {self.errors_}", ConvergenceWarning, stacklevel=2)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """The votes for the second class minus those for the first, per replica, shape ``(P,)``.

        The mean stability over replicas, squeezed into less than half a vote, orders patterns of the same majority and
        breaks ties.

        Raises:
            ValueError: another number of features than in training, or one that is no finite number.
        """
        check_is_fitted(self)
        refuse_masked("X", X)
        X = validate_data(self, X, reset=False)
        instance = self._instance(self._signs(X), None)
        stabilities = np.stack([np.asarray(instance.stabilities(weights.ravel())) for weights in self.weights_])
        mean = stabilities.mean(axis=0)
        return (np.sign(stabilities).sum(axis=0) + 0.499 * mean / (1 + np.abs(mean))) / len(self.weights_)

    def predict(self, X: Any) -> np.ndarray:
        """The class that most replicas choose, shape ``(P,)``.

        Raises:
            ValueError: as for `decision_function`.
        """
        check_is_fitted(self)
        return self.classes_[(self.decision_function(X) > 0).astype(int)]

    def _encode(self, X: np.ndarray, random: Any) -> None:
        """Learn what makes signs of the features."""
        one_of("encoding", self.encoding, ENCODINGS)
        if self.encoding == "threshold":
            self.threshold_ = X.mean(axis=0)
        elif self.encoding == "random":
            spread = X.std(axis=0)
            self.centre_, self.scale_ = X.mean(axis=0), np.where(spread > 0, spread, 1.0)
            self.directions_ = random.standard_normal((X.shape[1], whole("features", self.features, 1)))

    def _signs(self, X: np.ndarray) -> np.ndarray:
        """Features as ±1, an odd number of them for every unit."""
        if self.encoding == "threshold":
            signs = np.where(self.threshold_ < X, 1, -1).astype(np.int8)
        elif self.encoding == "random":
            signs = np.where((X - self.centre_) / self.scale_ @ self.directions_ > 0, 1, -1).astype(np.int8)
        else:
            signs = X
        odd = signs.shape[1] % 2
        return signs if odd else np.hstack([signs, np.ones((len(signs), 1), signs.dtype)])

    def _instance(self, signs: np.ndarray, labels: np.ndarray | None) -> Instance:
        perceptron = self.units == 1 and self.activation == "sign"
        committee = None if perceptron else Committee(self.activation, self.units)
        labels = np.ones(len(signs), int) if labels is None else labels
        return Instance.labelled(signs, labels, self.margin, committee=committee)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.non_deterministic = self.random_state is None
        return tags
