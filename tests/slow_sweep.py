"""A sweep slow enough to be interrupted, which says on paper what it computes: run by tests/test_sweep_accidents.py.

    python tests/slow_sweep.py REQUEST STORE [resume] [workers=W] [scheduler=ADDRESS]

Workers of dask load this file too (DASK_DISTRIBUTED__WORKER__PRELOAD) and call `dask_setup`. The numbers of points begun
are appended to $LOG. Importing the file changes nothing, as pytest does that in search of doctests.
"""

import json
import os
import sys
import time

import fmjax
from fmjax.quantities import QUANTITIES, Control, Output, Quantity


def square(values):
    with open(os.environ["LOG"], "a") as log:  # noqa: PTH123  (appended in one piece: several processes write)
        log.write(f"{values['x']} {os.getpid()}\n")
    time.sleep(float(os.environ.get("PAUSE", "0.03")))
    return {"square": float(values["x"]) ** 2, "result": 0}


X = Control("a number", integer=True, static=True)
SQUARES = Quantity("x squared, slowly", {"x": X}, {"square": Output("1", "x^2")}, square, ("done",), 1, 0.03, on_host=True)


def dask_setup(worker):
    QUANTITIES["slow"] = SQUARES


if __name__ == "__main__":
    dask_setup(None)
    request, out, *rest = sys.argv[1:]
    options = dict(word.split("=") for word in rest if "=" in word)
    if "workers" in options:
        options["workers"] = int(options["workers"])
    try:
        fmjax.sweep(json.loads(request), out, resume="resume" in rest, **options)
    except (ValueError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
