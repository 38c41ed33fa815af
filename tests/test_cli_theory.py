"""What the commands of the theory document."""

import math

import pytest

import fmjax
from tests.command_line import answer, refused


def test_entropy_documents_the_typical_solutions():
    document = answer("entropy", "--alpha", 0.5, "--margin", 0.1)
    assert document["alpha"] == 0.5
    assert document["margin"] == 0.1
    assert document["result"] == "converged"
    assert 0 < document["entropy"] < math.log(2)
    assert document["distance"] == pytest.approx((1 - document["overlap"]) / 2, abs=1e-15)
    assert document["conjugate"] > 0
    assert document["residual"] < 1e-8
    assert 0 <= document["error_estimate"] < 1e-8


def test_models_of_other_weights_and_constraints_can_be_asked_for():
    sphere = answer("threshold", "capacity", "--weights", "spherical")
    assert (sphere["weights"], sphere["value"]) == ("spherical", pytest.approx(2.0, abs=1e-10))  # Cover 1965
    symmetric = answer("threshold", "capacity", "--constraint", "symmetric", "--margin", 1.0)
    first_moment = -math.log(2) / math.log(math.erf(math.sqrt(0.5)))  # Aubin, Perkins, Zdeborova 2019
    assert (symmetric["constraint"], symmetric["value"]) == ("symmetric", pytest.approx(first_moment, abs=1e-10))


def test_the_spinodal_lies_beyond_perfect_generalisation():
    task = ("--task", "teacher-student")
    alone = answer("threshold", "perfect-generalisation", *task)
    found = fmjax.thresholds.spinodal(fmjax.Perceptron(teacher=True))
    assert answer("threshold", "spinodal", *task)["value"] == float(found.value) > alone["value"]


def test_a_counted_margin_moves_the_threshold_of_the_reference():
    counted = answer("threshold", "kappa-u", "--alpha", 0.5, "--margin", 0.1)
    expected = fmjax.thresholds.kappa_u(fmjax.Perceptron(margin=0.1), 0.5).value
    assert counted["value"] == pytest.approx(float(expected), abs=1e-10)


def test_entropy_with_a_teacher_documents_how_much_was_learned():
    document = answer("entropy", "--alpha", 1.2, "--task", "teacher-student")
    assert document["task"] == "teacher-student"
    assert document["result"] == "converged"
    assert document["teacher_overlap"] == pytest.approx(document["overlap"], abs=1e-10)
    assert document["teacher_conjugate"] == pytest.approx(document["conjugate"], abs=1e-8)
    assert document["generalisation_error"] == pytest.approx(math.acos(document["overlap"]) / math.pi, abs=1e-10)
    assert 0 < document["replicon"] < 1


def test_weights_of_least_energy_are_found_again_from_it():
    at = ("--alpha", 1.2, "--loss", "temperature", "--margin", 0.1)
    model = fmjax.Perceptron().with_constraint(fmjax.Temperature(1.0, 0.1))
    least = answer("threshold", "freezing", *at)
    assert least["value"] == float(fmjax.thresholds.freezing(model, 1.2).value)
    assert (least["alpha"], least["margin"], least["loss"]) == (1.2, 0.1, "temperature")
    document = answer("thermodynamics", *at, "--beta", least["value"])
    assert document["entropy"] == pytest.approx(0.0, abs=1e-11)
    assert document["energy"] == document["error"] > 0
    again = answer("threshold", "inverse-temperature", *at, "--energy", document["energy"])
    assert again["value"] == pytest.approx(least["value"], abs=1e-9)


def test_a_reference_may_be_drawn_with_a_loss():
    asked = ("--reference-loss", "temperature", "--beta", 5)
    document = answer("franz-parisi", "--alpha", 0.5, "--margin", 0.1, "--distance", 0.1, *asked)
    local = fmjax.FranzParisi(fmjax.Perceptron(margin=0.1), reference=fmjax.Temperature(5.0))
    (row,), found = document["rows"], fmjax.curve(local, alpha=0.5, distance=[0.1])
    assert row["entropy"] == float(found.entropy[0])
    assert (document["reference_loss"], document["beta"]) == ("temperature", 5)
    assert not {"sharpness", "reference_margin"} & set(document)


@pytest.mark.parametrize(("flags", "sharpness"), [((), 1.0), (("--sharpness", 4), 4.0)])
def test_a_cross_entropy_has_the_sharpness_that_is_asked_for(flags, sharpness, monkeypatch):
    def thermodynamics(functional, alpha):
        raise ValueError(f"the sharpness is {functional.model.constraint.sharpness}")

    monkeypatch.setattr("fmjax.quantities.solved.thermodynamics", thermodynamics)
    message = refused("thermodynamics", "--alpha", 0.5, "--loss", "cross-entropy", "--beta", 5, *flags)
    assert message == f"Error: the sharpness is {sharpness}"


def test_franz_parisi_rows_come_in_the_order_asked():
    asked = [0.3, 0.05, 0.2]
    flags = [part for distance in asked for part in ("--distance", distance)]
    document = answer("franz-parisi", "--alpha", 0.5, "--reference-margin", 0.3, *flags)
    assert [row["distance"] for row in document["rows"]] == asked
    assert document["reference_margin"] == 0.3
    for row in document["rows"]:
        d = row["distance"]
        assert set(row) == {
            *("distance", "entropy", "slope", "overlap", "cross_overlap", "replicon"),
            *("residual", "error_estimate", "result"),
        }
        assert row["result"] == "converged"
        assert 0 < row["entropy"] <= -d * math.log(d) - (1 - d) * math.log1p(-d)
    # Every distance gets the answer it would have got alone.
    alone = answer("franz-parisi", "--alpha", 0.5, "--reference-margin", 0.3, "--distance", asked[1])
    assert alone["rows"][0]["entropy"] == pytest.approx(document["rows"][1]["entropy"], abs=1e-10)


def test_franz_parisi_with_a_teacher_documents_how_close_counted_solutions_are_to_it():
    """At margins 0 the teacher is to a counted solution what another typical one is: ``R = t``."""
    at = ("--alpha", 0.9, "--reference-margin", 0, "--distance", 0.4, "--distance", 0.2)
    document = answer("franz-parisi", *at, "--task", "teacher-student")
    assert (document["task"], document["reference_margin"]) == ("teacher-student", 0)
    assert [row["distance"] for row in document["rows"]] == [0.4, 0.2]
    for row in document["rows"]:
        assert row["result"] == "converged"
        assert row["teacher_overlap"] == pytest.approx(row["cross_overlap"], abs=1e-7)
        assert row["generalisation_error"] == pytest.approx(math.acos(row["teacher_overlap"]) / math.pi, abs=1e-12)
        assert 0 < row["error_estimate"] < 1e-7


def test_the_largest_reference_margin_is_kappa_max():
    largest = answer("threshold", "kappa-max", "--alpha", 0.5)
    assert largest["name"] == "kappa-max"
    document = answer("franz-parisi", "--alpha", 0.5, "--reference-margin", "max", "--distance", 0.1)
    assert document["reference_margin"] == pytest.approx(largest["value"], abs=1e-12)


def test_capacity_is_the_published_number():
    document = answer("threshold", "capacity")
    assert document["value"] == pytest.approx(0.83307859973957923, abs=1e-12)
    assert document["margin"] == 0
    assert document["result"] == "converged"
