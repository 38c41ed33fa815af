"""What the request of a sweep may hold; what makes no sense is refused by name."""

import math

import pytest

import fmjax
from fmjax.sweeps import plan
from tests.small_sweep import tied


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        ({}, ["quantity", "franz-parisi"]),
        ({"quantity": "entropie"}, ["entropie", "entropy"]),
        ({"quantity": "entropy"}, ["alpha"]),
        ({"quantity": "entropy", "alpha": 0.5}, ["alpha", "[grid]"]),
        ({"quantity": "entropy", "grid": 3}, ["[grid]", "3"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.5, "kappa": 0.1}}, ["kappa", "margin"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.0}}, ["alpha", "0", "above 0"]),
        ({"quantity": "entropy", "grid": {"alpha": True}}, ["alpha", "True"]),
        ({"quantity": "entropy", "grid": {"alpha": []}}, ["alpha", "[]"]),
        ({"quantity": "entropy", "grid": {"alpha": "0.1:0.9"}}, ["alpha", "START:STOP:COUNT"]),
        ({"quantity": "entropy", "grid": {"alpha": "0:0.9:4:log"}}, ["alpha", "log"]),
        ({"quantity": "entropy", "grid": {"alpha": "0.9:0.1:4"}}, ["alpha", "increase"]),
        ({"quantity": "entropy", "grid": {"alpha": [0.1, float("nan")]}}, ["alpha", "nan"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.5, "weights": "ternary"}}, ["weights", "ternary", "binary"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.5, "weights": ["binary", "binary"]}}, ["weights", "twice"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.5}, "block": 0}, ["block", "0"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.5, "architecture": "committee"}}, ["committee", "relu", "none"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.5, "activation": "relu"}}, ["activation", "relu", "committee"]),
        (
            {"quantity": "entropy", "grid": {"alpha": 0.5, "task": "teacher-student", "constraint": "symmetric"}},
            ["teacher", "SymmetricMargin"],
        ),
        ({"quantity": "franz-parisi", "grid": {"alpha": 0.5}}, ["reference_margin", "distance"]),
        (
            {"quantity": "robust-ensemble", "grid": {"alpha": 0.5, "replicas": [3, 65], "distance": 0.1}},
            ["replicas", "65", "64", "inf"],
        ),
        (
            {
                "quantity": "robust-ensemble",
                "grid": {"alpha": 0.5, "replicas": math.inf, "distance": 0.1, "task": "teacher-student"},
            },
            ["infinitely many replicas of a teacher", "12"],
        ),
        (
            {
                "quantity": "clusters",
                "grid": {"alpha": 0.5, "reference_margin": 0, "distance": 0.1, "weights": "spherical"},
            },
            ["weights", "spherical", "binary"],
        ),
        ({"quantity": "spinodal", "grid": {"task": "storage"}}, ["task", "storage", "teacher-student"]),
        ({"quantity": "kappa-u", "grid": {"alpha": 0.5, "weights": "spherical"}}, ["weights", "spherical", "binary"]),
        ({"quantity": "robust-alpha-u", "grid": {"weights": "spherical"}}, ["weights", "spherical", "binary"]),
        ({"quantity": "robust-capacity", "grid": {}}, ["replicas"]),
        ({"quantity": "focusing", "grid": {"size": 11, "alpha": 0.5, "seed": 2**31}}, ["2147483648 is", "up to 2147483647"]),
        (
            {"quantity": "cluster-potential", "grid": {"alpha": 0.5, "reference_margin": 0, "distance": 0.1, "rise": 41}},
            ["rise = 41", "above 0 up to 40"],
        ),
        ({"quantity": "networks", "grid": {"patterns": 9, "width": 3, "seed": [0, -1]}}, ["seed = -1", "from 0"]),
        ({"quantity": "networks", "grid": {"patterns": 9, "width": 3, "seed": 0, "fraction": 1.5}}, ["fraction = 1.5", "1"]),
        (
            {"quantity": "networks", "grid": {"patterns": 9, "width": 3, "seed": {"along": "point", "values": [0, 1]}}},
            ["seed cannot be given along 'point'", "seed is taken as a whole list"],
        ),
        ({"quantity": "focusing", "grid": {"size": 10.5, "alpha": 0.5, "seed": 0}}, ["size", "10.5", "integer"]),
        ({"quantity": "entropy", "grid": {"alpha": [[0.1], [0.2, 0.3]]}}, ["alpha must be a number", "[[0.1], [0.2, 0.3]]"]),
        (tied([0.1, 0.2, 0.3]), ["margin has 3 values along 'alpha'", "2 are needed"]),
        (tied([]), ["margin must be a number, a list of numbers"]),
        (tied([0.1, math.inf]), ["margin", "inf", "finite"]),
        (tied([0.1, 0.2], axis="load"), ["margin cannot be given along 'load'", "'alpha' or 'point'"]),
        (tied([0.1, 0.2], alpha=0.5), ["margin cannot be given along 'alpha'", "along 'point'"]),
        (tied([0.1, 0.2], alpha={"along": "margin", "values": [0.1, 0.2]}), ["cannot be given along", "along 'point'"]),
        ({"quantity": "entropy", "grid": {"alpha": {"values": [0.1]}}}, ["alpha", "{along = AXIS, values = [...]}"]),
        (
            {"quantity": "entropy", "grid": {"alpha": 1, "weights": {"along": "alpha", "values": ["binary"]}}},
            ["weights", "numbers"],
        ),
        (
            {"quantity": "focusing", "grid": {"size": {"along": "point", "values": [11, None]}, "alpha": 0.5, "seed": 0}},
            ["size", "nan", "integer"],
        ),
        (
            {
                "quantity": "franz-parisi",
                "grid": {"alpha": [0.5], "reference_margin": 0, "distance": {"along": "alpha", "values": [0.1]}},
            },
            ["distance cannot be given along 'alpha'", "single numbers can"],
        ),
    ],
    ids=str,
)
def test_a_request_that_makes_no_sense_is_refused_by_name(request_, named, out):
    with pytest.raises(ValueError, match=r"\w") as refusal:
        fmjax.sweep(request_, out)
    assert all(name in str(refusal.value) for name in named), str(refusal.value)
    assert not out.exists()


@pytest.mark.parametrize(("word", "number"), [("inf", math.inf), ([3, "inf"], [3, math.inf])])
def test_infinity_may_be_spelt_as_on_the_command_line(word, number):
    plans = [plan.read({"quantity": "robust-capacity", "grid": {"replicas": replicas}}) for replicas in (word, number)]
    values = [{**found.fixed, **{name: list(axis) for name, axis in found.axes.items()}}["replicas"] for found in plans]
    assert values[0] == values[1] == number
    with pytest.raises(ValueError, match="alpha = inf is not possible"):
        plan.read({"quantity": "entropy", "grid": {"alpha": "inf"}})
