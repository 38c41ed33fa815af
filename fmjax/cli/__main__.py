"""`python -m fmjax.cli` is `fmjax`."""

from fmjax.cli import main

main()
