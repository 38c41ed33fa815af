"""What figures draw of a dataset, and what they leave out or mark."""

import numpy as np
import pytest

from fmjax.reproduce import (
    at_kappa_max,
    ensembles,
    entropy,
    franz_parisi,
    one_step,
    phase_diagram,
    references,
    typical_distance,
)
from fmjax.reproduce.plotting import binary_entropy
from fmjax.sentences import THEORY
from fmjax.solvers import outcome
from tests.small_figures import (
    ENDED,
    PHASES,
    broken,
    broken_ensembles,
    diagram,
    loads,
    margins,
    phases,
    soft_references,
    tried,
)


def lines(axes, at_least=3):
    """Data of the curves: not reference lines, not single markers."""
    drawn = [np.array(line.get_xydata()) for line in axes.lines if str(line.get_linestyle()) not in {":", "None"}]
    return [data for data in drawn if len(data) >= at_least]


@pytest.mark.parametrize("module", [typical_distance, entropy])
def test_one_curve_per_load_and_each_ends_at_kappa_max(module):
    axes = module.draw(margins()).axes[0]
    drawn = lines(axes)
    assert len(drawn) == 2
    assert [data[-1, 0] for data in drawn] == [0.9, 0.4]
    ends = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert ends == [0.9, 0.4]


@pytest.mark.parametrize("module", [typical_distance, entropy])
def test_margins_that_did_not_converge_are_not_drawn(module):
    first, second = lines(module.draw(margins(lost=[(0, 2)])).axes[0])
    assert np.flatnonzero(np.isnan(first[:, 1])).tolist() == [2]
    assert np.isfinite(second).all()


def test_the_largest_margin_is_drawn_against_load():
    (data,) = lines(entropy.draw(margins()).axes[1])
    np.testing.assert_array_equal(data, [[0.2, 1.0], [0.5, 0.5], [0.83, 0.0]])


def test_one_curve_per_phase_below_the_binary_entropy():
    axes = franz_parisi.draw(phases()).axes[0]
    drawn = lines(axes)
    assert len(drawn) == len(PHASES)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert sum("min" in label for label in labels) == sum("max" in label for label in labels) == 1
    assert any("binary" in label for label in labels)
    # Between computed points the computed slopes are used: here that is good to a percent of the largest value.
    np.testing.assert_allclose(drawn[-1][:, 1], binary_entropy(drawn[-1][:, 0]), atol=0.007)


def test_points_of_the_experiment_are_open_where_some_sample_did_not_converge():
    data = phases()
    data.measured_result[1, 2] = "the number of sweeps ran out"
    for axes in franz_parisi.draw(data).axes:
        closed, hollow = (bars.lines[0] for bars in axes.containers)
        assert closed.get_xdata().tolist() == [0.3, 0.1]
        assert hollow.get_xdata().tolist() == [0.015]
        assert (closed.get_markerfacecolor(), hollow.get_markerfacecolor()) == ("black", "white")
        assert "501" in axes.containers[0].get_label()


@pytest.mark.parametrize(
    ("lost", "hidden"), [([(1, 0), (1, 1)], (0.0, 2e-3)), ([(1, 4)], (0.012, 0.04)), ([(1, slice(None))], (0.0, 1.0))]
)
def test_curves_stop_where_the_branch_does(lost, hidden):
    whole, broken = lines(franz_parisi.draw(phases()).axes[0]), lines(franz_parisi.draw(phases(lost)).axes[0], 0)
    shown = [data[np.isfinite(data[:, 1]), 0] for data in broken if not (len(data) == 2 and np.ptp(data[:, 1]) == 0)]
    assert len(shown) == len(PHASES)
    assert not ((shown[1] > hidden[0]) & (shown[1] < hidden[1])).any()
    assert len(shown[0]) == len(whole[0])


def test_entropy_and_slope_at_kappa_max_have_the_same_curves():
    left, right = at_kappa_max.draw(loads(lost=[(2, 0)])).axes
    assert len(lines(left)) == len(lines(right)) == 3
    (inset,) = right.child_axes
    assert len(lines(inset)) == 3
    assert np.isnan(lines(right)[2][0, 1])
    assert np.isfinite(lines(right)[1]).all()


def test_what_was_found_on_committees_is_laid_over_the_curve_at_its_load():
    data = tried()
    data.measured_result[1, 2] = "the number of sweeps ran out"
    data.experiment_result[0, 0] = ENDED
    left, right, third = at_kappa_max.draw(data).axes
    assert len(lines(left)) == len(lines(right)) == 3
    (curve,) = lines(third)
    assert curve[0, 0] == data.experiment_distance[1]  # as the first point did not converge
    assert curve[-1, 1] == pytest.approx(float(data.experiment_entropy[0, -1]))
    closed, hollow = (bars.lines[0] for bars in third.containers)
    assert closed.get_ydata().tolist() == [0.3, 0.1]
    assert hollow.get_ydata().tolist() == [0.015]
    assert "$N=501$, $K=9$" in third.containers[0].get_label()


@pytest.mark.parametrize(("draw", "data"), [(franz_parisi.draw, phases), (at_kappa_max.draw, loads)])
def test_a_band_marks_where_the_replicon_is_negative(draw, data):
    unstable = data()
    unstable.replicon[1, 2:5] = -0.1
    unstable.result[1, 4] = ENDED
    for before, after in zip(draw(data()).axes, draw(unstable).axes, strict=True):
        bands = [line for line in after.lines if line.get_linewidth() > 3]
        assert not [line for line in before.lines if line.get_linewidth() > 3]
        (band,) = bands
        assert np.flatnonzero(np.isfinite(band.get_ydata())).tolist() == [2, 3]


def test_ensembles_are_drawn_as_far_as_they_were_found_over_both_references():
    data = broken_ensembles()
    axes = ensembles.draw(data).axes[0]
    by_name = {line.get_label(): np.array(line.get_xydata()) for line in axes.lines}
    assert by_name["best centres that exist"][:, 1].tolist()[1:] == data.centred_entropy[0].to_numpy()[1:].tolist()
    assert np.isnan(by_name["best centres that exist"][0, 1])
    assert np.isfinite(by_name[r"$y=\infty$, around a centre"]).all()
    assert len(by_name[r"$y=\infty$, around their mean"]) == 3
    assert sum(name.startswith(r"$\tilde") for name in by_name) == 2
    assert "501" in axes.containers[0].get_label()


def test_references_are_drawn_with_their_errors_as_far_as_they_were_found():
    axes = references.draw(soft_references()).axes[0]
    by_name = {line.get_label(): np.array(line.get_xydata()) for line in axes.lines}
    (minimum,), (warm,) = ([points for name, points in by_name.items() if beta in name] for beta in ("=25,", "=5,"))
    assert np.isfinite(minimum).all()
    assert warm[0, 0] == soft_references().distance[1]
    assert any(r"\epsilon=1\times10^{-2}" in name for name in by_name)
    assert sum(name.startswith(r"$\tilde") for name in by_name) == 2


def test_the_phase_diagram_shows_what_was_found():
    axes = phase_diagram.draw(diagram()).axes[0]
    by_label = {line.get_label(): np.array(line.get_xydata()) for line in axes.lines}
    assert by_label[r"$\kappa_{\min}$"].tolist() == [[0.2, 0.1], [0.5, 0.2]]
    assert by_label[r"$\kappa_u$"].tolist() == [[0.2, 0.2], [0.5, 0.3], [0.76, 0.08]]
    assert any("0.7600" in text.get_text() for text in axes.texts)


def test_beyond_the_end_of_kappa_min_the_local_entropy_is_negative_somewhere_at_any_margin():
    def shaded(data):
        (area,) = [area for area in phase_diagram.draw(data).axes[0].collections if "negative" in area.get_label()]
        return np.max(area.get_paths()[0].vertices[:, 0])

    met = diagram(kappa_min_result=("alpha", ["converged", "converged", THEORY[outcome.NO_CANDIDATE]]))
    assert shaded(met) == 0.8
    assert shaded(diagram()) == 0.5


def test_where_there_are_no_solutions_the_line_is_dotted():
    left, right = one_step.draw(broken()).axes[:2]
    solid = [line for line in left.lines if line.get_linestyle() == "-" and line.get_label().startswith(r"$\tilde")]
    assert len(solid) == 3
    assert [min(line.get_ydata()) > 0 for line in solid] == [True] * 3
    first, second = ([line.get_xdata()[0] for line in solid][i] for i in (0, 1))
    assert first > second  # the first two distances have no solid line
    assert len([line for line in right.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 11]) == 5


def test_potentials_that_did_not_converge_are_not_drawn():
    names = [line.get_label() for line in one_step.draw(broken(lost_shown=[2])).axes[1].lines]
    assert sum("d=" in name for name in names) == 4


def test_the_phase_diagram_does_without_what_was_not_found():
    nothing = ("alpha", [ENDED] * 3)
    lost = diagram(kappa_min_result=nothing, kappa_u_result=nothing, alpha_u_result=ENDED)
    axes = phase_diagram.draw(lost).axes[0]
    assert not any("alpha'_U" in text.get_text() for text in axes.texts)
    lost["kappa_max_result"] = ("fine_alpha", [ENDED] * 3)
    phase_diagram.draw(lost)
