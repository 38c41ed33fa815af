"""The words for parts of a model, on the command line and in sweeps: here, because to list them must not import JAX."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Activation", "Architecture", "Constraint", "Loss", "Task", "Weights", "words"]


class Activation(StrEnum):
    """Of the hidden units of a committee."""

    SIGN = "sign"
    RELU = "relu"
    LEAKY_RELU = "leaky-relu"
    ERF = "erf"
    TANH = "tanh"
    GELU = "gelu"


class Architecture(StrEnum):
    """What weights are wired into."""

    PERCEPTRON = "perceptron"
    COMMITTEE = "committee"


class _Part(StrEnum):
    """A word, and the name of the class in `fmjax.models` that it stands for."""

    kind: str

    def __new__(cls, word: str, kind: str) -> _Part:  # noqa: PYI034  (checks of types at run time know Self in some classes only)
        part = str.__new__(cls, word)
        part._value_, part.kind = word, kind
        return part


class Constraint(_Part):
    """What a pattern asks for."""

    MARGIN = "margin", "Margin"
    SYMMETRIC = "symmetric", "SymmetricMargin"


class Loss(_Part):
    """What a pattern that is not satisfied costs, at an inverse temperature."""

    TEMPERATURE = "temperature", "Temperature"
    HINGE = "hinge", "Hinge"
    CROSS_ENTROPY = "cross-entropy", "CrossEntropy"
    POWER = "power", "Power"


class Task(StrEnum):
    """Where labels come from."""

    STORAGE = "storage"
    TEACHER_STUDENT = "teacher-student"


class Weights(_Part):
    """The prior of a weight."""

    BINARY = "binary", "Binary"
    SPHERICAL = "spherical", "Spherical"


def words(kind: type[StrEnum]) -> tuple[str, ...]:
    """All of a kind."""
    return tuple(word.value for word in kind)
