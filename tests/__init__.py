"""Tests of fmjax; a package, so that the oracles below it can be imported and run by name."""
