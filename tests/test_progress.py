"""What long work shows: the step at hand, now and then in a log, and as a bar on a terminal."""

import io
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

from fmjax import progress
from fmjax.progress import Loop, bar, inner, tell


@pytest.fixture
def often(monkeypatch):
    """A line every 0.2 s instead of every 30."""
    monkeypatch.setattr(progress, "EVERY", 0.2)
    while progress._ticker:  # that of another test, which still waits a second
        time.sleep(0.05)
    monkeypatch.setattr(progress._Log, "busy", 0.0)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_has_a_line_now_and_then_however_many_items_there_are(often, capsys):
    begun = time.monotonic()
    for _ in bar(range(1000), "training"):
        time.sleep(1e-3)
    took = time.monotonic() - begun
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= took / 0.2
    done = [int(line.removeprefix("training ").partition("/1000; 0:0")[0]) for line in lines]
    assert done == sorted(set(done))
    assert 0 < done[0] < done[-1] < 1000


def test_a_line_is_due_every_half_minute_and_what_ends_sooner_says_nothing(capsys):
    assert progress.EVERY == 30.0
    for _ in bar(range(20), "samples"):
        time.sleep(1e-3)
    assert capsys.readouterr().err == ""


def test_loops_that_follow_each_other_do_not_put_off_the_next_line(often, capsys):
    for _ in range(10):
        for _ in bar(range(1), "short"):
            time.sleep(0.06)
    assert 1 <= len(capsys.readouterr().err.splitlines()) <= 4


def test_a_line_names_the_steps_of_all_loops_and_counts_programs_where_nothing_else_can_be_counted(often, capsys):
    seen = []
    with Loop("reproduce", 11, done=2) as stages:
        stages.at("figure 3")
        for step in bar(["kappa_min", "kappa_u"], "thresholds"):
            factor = np.random.default_rng(len(seen)).random()
            jax.jit(lambda x, factor=factor: factor * x)(1.0).block_until_ready()
            time.sleep(0.5)
            seen.append((step, capsys.readouterr().err))
    for done, (step, text) in enumerate(seen):
        last = text.splitlines()[-1]
        assert last.startswith(f"reproduce 2/11 (figure 3, {1 + done} program"), last
        assert f"thresholds {done}/2 ({step}, 1 program compiled); 0:0" in last
    with Loop("alpha-u"):
        time.sleep(0.5)
    assert capsys.readouterr().err.splitlines()[-1] == "alpha-u; 0:00"


def test_a_terminal_has_a_bar_with_the_step_and_time_goes_by_while_it_lasts(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "_TICK", 0.1)
    for step in bar(["kappa_min", "kappa_u"], "thresholds"):
        before = terminal.getvalue()
        assert step in before.split("\r")[-1]
        time.sleep(1.3)
        assert "00:01" in terminal.getvalue()[len(before) :]
    tell("a line of its own")
    shown = terminal.getvalue()
    assert "thresholds:  50%" in shown
    assert shown.endswith("a line of its own\n")
    assert not shown.removesuffix("a line of its own\n").split("\r")[-1].strip()  # the bar is gone


class Broken(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("stream", [Broken(), None], ids=["full", "closed"])
def test_a_stream_that_cannot_be_written_to_stops_nothing(often, stream, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)
    done = []
    for item in bar(range(3), "samples"):
        tell("something")
        time.sleep(0.15)
        done.append(item)
    assert done == [0, 1, 2]


def test_what_is_done_inside_of_others_is_shown_where_they_are(often, capsys):
    def work():
        for _ in inner(range(2), "training"):
            time.sleep(0.25)

    work()
    with Loop("sweep", 3, shows=False):
        work()
    assert capsys.readouterr().err == ""
    with Loop("sweep", 3), ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()
    assert "sweep 0/3, training 1/2" in capsys.readouterr().err


def test_nothing_is_shown_where_nothing_was_asked_for(often, capsys):
    with Loop("sweep", 10, shows=False) as loop:
        loop.update(3)
        time.sleep(0.5)
    assert capsys.readouterr().err == ""
    assert loop.done == 3
