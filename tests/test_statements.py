"""Verdicts on the paper's statements follow the numbers of a run, in both directions."""

import pytest

from fmjax.reproduce import report, statements
from tests.run_like_the_paper import ENDED, PHASES, TOP, curve, experiment, figures, networks, rows, tried


def verdicts(datasets, thresholds=None):
    """Verdict and reason of every statement, by the function that judges it; of those made for a figure, by the figure."""
    lines = statements.judge(datasets, rows() if thresholds is None else thresholds, report.COMMANDS)
    return {
        statement.claim if "<locals>" in statement.judge.__qualname__ else statement.judge.__name__: line
        for statement, line in zip(statements.STATEMENTS, lines, strict=True)
    }


def test_all_statements_hold_for_numbers_like_the_papers_except_the_value_of_alpha_u():
    lines = verdicts(figures())
    assert {name for name, line in lines.items() if line["verdict"] != "agrees"} == {"alpha_u"}
    assert lines["alpha_u"]["verdict"] == "deviates"
    assert "0.76" in lines["alpha_u"]["reason"]
    assert verdicts(figures(), rows(alpha_u=0.758))["alpha_u"]["verdict"] == "agrees"


def dip(datasets, phase, depth, figure="3"):
    data = datasets[figure]
    place = {"phase": PHASES.index(phase)} if figure == "3" else {"alpha": phase}
    entropy, slope = curve(depth)
    data.entropy[place], data.slope[place] = entropy, slope


CHANGES = {
    "closer": lambda d: d["2"].distance.__setitem__((0, 2), 0.9),
    "rarer": lambda d: d["5"].entropy.__setitem__((1, 4), 0.01),
    "largest_margin": lambda d: d["5"].largest_margin.__setitem__(3, 0.01),
    "isolated": lambda d: dip(d, "isolated", 0.0),
    "gap": lambda d: dip(d, "negative", 0.0),
    "not_monotonic": lambda d: dip(d, "not monotonic", 0.0),
    "monotonic": lambda d: dip(d, "kappa_max", 0.05),
    "same_maximum": lambda d: d["2"].entropy.__setitem__((1, 0), TOP + 1e-2),
    "denser": lambda d: dip(d, "kappa_max", 0.05),
    "focusing_solves": lambda d: d["3"].solved.__setitem__(0, False),
    "found_in_flat_regions": lambda d: d["3"].mean_entropy.__setitem__(2, 0.9),
    "above_kappa_max": lambda d: d["3"].mean_entropy.__setitem__(2, 0.001),
    "between_typical_and_densest": lambda d: d["ensembles"].centred_entropy.__setitem__((0, slice(None)), 0.01),
    "minima_are_flatter": lambda d: d["references"].drawn_entropy.__setitem__((1, slice(None)), 0.01),
    "symmetric_is_right": lambda d: d["one-step"].entropy.__setitem__((1, 0), 0.005),
    "phase_diagram": lambda d: d["phase-diagram"].kappa_u.__setitem__(0, 0.005),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_statement_deviates_when_the_numbers_do(name):
    changed = figures()
    CHANGES[name](changed)
    assert verdicts(changed)[name]["verdict"] == "deviates"


def test_a_point_that_is_known_no_better_than_zero_says_nothing_of_an_isolated_reference():
    unsure = figures()
    unsure["3"].error_estimate[{"phase": PHASES.index("isolated"), "distance": 0}] = 1.0
    assert verdicts(unsure)["isolated"]["verdict"] == "agrees"
    unsure["3"].error_estimate[{"phase": PHASES.index("isolated")}] = 1.0
    assert verdicts(unsure)["isolated"]["verdict"] == "not in this run"


@pytest.mark.parametrize(
    ("name", "changes"),
    [("ordered", {"kappa_u": 0.02}), ("below_large_deviations", {"alpha_u": 0.78}), ("largest_margin", {"capacity": 0.84})],
)
def test_a_statement_deviates_when_the_thresholds_do(name, changes):
    assert verdicts(figures(), rows(**changes))[name]["verdict"] == "deviates"


@pytest.mark.parametrize("figure", ["4", "6", "7"])
def test_a_fold_at_a_load_below_alpha_u_contradicts_it(figure):
    changed = figures()
    dip(changed, 0, 0.05, figure)
    (line,) = [
        line
        for line in verdicts(changed).values()
        if line["place"] == f"Figure {figure}" and "up to a load" in line["statement"]
    ]
    assert line["verdict"] == "deviates"


def around_found(figure, above):
    """The line on the experiment of a figure at kappa_max that lies so much above its curve."""
    changed = figures()
    changed[figure] = tried(changed[figure].drop_vars(name for name in changed[figure] if name in experiment()), above)
    (line,) = [line for line in verdicts(changed).values() if line["place"].startswith(f"Beyond the paper, figure {figure}")]
    return line


@pytest.mark.parametrize(
    ("figure", "above", "verdict"),
    [
        ("6", 0.005, "agrees"),
        ("6", -0.01, "deviates"),
        ("6", 0.03, "deviates"),
        ("7", 0.03, "agrees"),
        ("7", 0.001, "deviates"),
        ("7", -0.02, "deviates"),
    ],
)
def test_solutions_found_on_committees_lie_on_the_curve_or_above_it_as_said(figure, above, verdict):
    line = around_found(figure, above)
    assert line["verdict"] == verdict
    assert float(line["number"].split()[1]) == pytest.approx(above, abs=5e-4)  # the curve between its points


@pytest.mark.parametrize("figure", ["6", "7"])
def test_instances_that_were_not_solved_contradict_what_is_said_of_committees(figure):
    changed = figures()
    changed[figure].solved[1] = False
    (line,) = [line for line in verdicts(changed).values() if line["place"].startswith(f"Beyond the paper, figure {figure}")]
    assert line["verdict"] == "deviates"
    assert "3 of 4 instances solved" in line["number"]


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("threshold", {"mean_train_error": [0.0, 0.0, 0.0]}),
        ("closer together", {"mean_overlap": [0.4, 0.3, 0.3]}),
        ("closer together", {"mean_overlap": [0.3, 0.8, 0.9]}),
        ("flat", {"slope": 1.5}),
    ],
)
def test_networks_that_behave_otherwise_deviate(part, change):
    changed = figures()
    for name, values in change.items():
        changed["8"][name][0] = values
    (verdict,) = [
        line["verdict"]
        for line in verdicts(changed).values()
        if line["place"] == "Figure 8"
        and part in line["statement"].replace("threshold their", "").replace("the threshold the", "")
    ]
    assert verdict == "deviates"


def test_other_images_than_the_papers_show_a_number_and_no_verdict():
    lines = [line for line in verdicts(figures() | {"8": networks("digits")}).values() if line["place"] == "Figure 8"]
    assert {line["verdict"] for line in lines} == {"not in this run"}
    assert all(line["number"].startswith("digits: ") and "bears it out" in line["reason"] for line in lines)


def test_what_is_not_in_the_run_says_so():
    for line in verdicts({}, {}).values():
        assert (line["verdict"], line["number"]) == ("not in this run", "–")
        assert "not part of it" in line["reason"]


def test_points_that_did_not_converge_decide_nothing():
    lost = figures()
    for name in ("3", "4", "6", "7"):
        lost[name].result[:] = ENDED
    lost["3"].near_result[:] = ENDED
    lost["2"].result[0, 0] = ENDED
    lines = verdicts(lost, rows() | {"kappa_u": {"value": None, "error_estimate": None, "result": ENDED}})
    for name in ("closer", "ordered", "isolated", "near", "gap", "monotonic", "alpha_u"):
        assert lines[name]["verdict"] == "not in this run", name
        assert ENDED in lines[name]["reason"] or "did not converge" in lines[name]["reason"]


def test_a_positive_part_below_the_distances_computed_is_left_open_unless_the_entropy_falls_towards_zero():
    low = figures()
    low["3"].near_entropy[0, 0], low["3"].near_slope[0, 0] = -1e-3, -1.0
    assert verdicts(low)["near"]["verdict"] == "not in this run"
    low["3"].near_slope[0, 0] = 1.0
    assert verdicts(low)["near"]["verdict"] == "deviates"
