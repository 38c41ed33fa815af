"""Subjects of commits are short enough to be read in a list."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 72


def git(*words):
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"the tests run in a git checkout: {done.stderr}"
    return done.stdout.split("\n")[:-1]


def test_subjects_are_short_since_this_test_was_added():
    """In a shallow clone, since its oldest commit, which adds everything."""
    added = git("log", "--diff-filter=A", "--format=%H", "--", f"tests/{Path(__file__).name}")
    subjects = git("log", "--no-merges", "--ancestry-path", "--format=%s", f"{added[-1]}..HEAD") if added else []
    assert [subject for subject in subjects if len(subject) > LONGEST] == []
