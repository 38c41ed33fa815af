"""The configuration file stands in for flags."""

import json

import pytest

from tests import command_line
from tests.command_line import fmjax_command, refused

no_theory = command_line.no_theory


def config(tmp_path, text):
    path = tmp_path / "request.toml"
    path.write_text(text)
    return path


def test_keys_of_the_file_stand_in_for_flags_and_flags_win(tmp_path, no_theory):
    path = config(tmp_path, "alpha = 0.5\nmargin = 0.1\njson = true\ntask = 'storage'\n")
    result = fmjax_command("entropy", "--config", path, "--alpha", 0.25)
    assert result.exit_code == 0, result.stderr
    assert no_theory == [{"alpha": 0.25, "margin": 0.1}]
    assert json.loads(result.stdout)["margin"] == 0.1


def test_a_file_with_a_byte_order_mark_is_read(tmp_path, no_theory):
    path = tmp_path / "request.toml"
    path.write_bytes(b"\xef\xbb\xbfalpha = 0.5\r\nmargin = 0.1\r\n")
    assert fmjax_command("entropy", "--config", path).exit_code == 0
    assert no_theory == [{"alpha": 0.5, "margin": 0.1}]


@pytest.mark.parametrize("key", ["reference-margin", "reference_margin"])
@pytest.mark.parametrize(
    ("distance", "expected"),
    [("distance = [0.1, 0.3]", [0.1, 0.3]), ("distance = 0.1", [0.1]), ("distances = '0:1:3'", [0, 0.5, 1])],
)
def test_lists_and_spans_in_the_file(key, distance, expected, tmp_path, no_theory):
    path = config(tmp_path, f"alpha = 0.5\n{key} = 0.2\nrsb = 0\n{distance}\n")
    fmjax_command("franz-parisi", "--config", path)
    assert no_theory == [{"alpha": 0.5, "reference_margin": 0.2, "distance": expected}]


@pytest.mark.parametrize(
    ("in_file", "flags", "expected"),
    [
        ("distances = '0:1:3'", ["--distance", "0.25"], [0.25]),
        ("distance = [0.1, 0.2]", ["--distances", "0:1:2"], [0, 1]),
        ("distance = [0.1, 0.2]", ["--distance", "0.25"], [0.25]),
    ],
)
def test_distances_behind_a_flag_replace_those_of_the_file(in_file, flags, expected, tmp_path, no_theory):
    path = config(tmp_path, f"alpha = 0.5\nreference-margin = 0.2\n{in_file}\n")
    fmjax_command("franz-parisi", "--config", path, *flags)
    assert no_theory[0]["distance"] == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("alpha = 0.5\nkappa = 0.1", ["kappa", "margin"]),
        ("alpha = 0.5\n[entropy]\nmargin = 0.1", ["entropy"]),
        ("alpha = 0.5\nconfig = 'other.toml'", ["config"]),
        ("alpha = true", ["alpha", "True"]),
        ("alpha = [0.5]", ["alpha", "number"]),
        ("alpha = 'half'", ["--alpha", "half"]),
        ("alpha = 0.5\njson = 1", ["json", "true or false"]),
        ("alpha = 0.5\ntask = 'teacher'", ["--task", "storage"]),
        ("alpha 0.5", ["not TOML"]),
    ],
)
def test_a_wrong_file_is_refused_by_name(text, named, tmp_path, no_theory):
    message = refused("entropy", "--config", config(tmp_path, text))
    assert all(name in message for name in named), message
    assert not no_theory
