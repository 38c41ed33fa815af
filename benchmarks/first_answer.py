"""Time from the start of a process to its first answer, everything compiled there, beside the NumPy/SciPy program's.

    python benchmarks/first_answer.py [--repeat 1] [--reproduce] [--record]

Every row is a fresh process with an empty cache of compiled programs; a command is then run again with what it has compiled.
Imports are part of every time. With --reproduce, `fmjax reproduce --quick` is timed as well (minutes).
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import record

HERE = Path(__file__).resolve().parent
DISTANCES = "np.linspace(0.005, 0.4, 80)"
NUMPY = f"""
import numpy as np
from numpy_franz_parisi import solve_curve
solve_curve(0.5, 0.3, {DISTANCES})
"""
FMJAX = """
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
import fmjax
model = fmjax.Perceptron()
def curve(margin):
    return fmjax.curve(fmjax.FranzParisi(model, margin), alpha=0.5, distance={distances})
jax.block_until_ready([{answer}])
"""
ANSWERS = {
    "typical entropy": "fmjax.solve(fmjax.Equilibrium(model), alpha=0.5)",
    "curve of 80 distances": "curve(0.3)",
    "the same and its gradient": "curve(0.3), jax.grad(lambda k: curve(k).entropy.sum())(0.3)",
    "capacity": "fmjax.thresholds.capacity(model)",
    "kappa_max": "fmjax.thresholds.kappa_max(model, 0.5)",
    "kappa_u": "fmjax.thresholds.kappa_u(model, 0.5)",
    "alpha_u": "fmjax.thresholds.alpha_u(model)",
    "alpha_u and its gradient": "jax.value_and_grad(lambda k: fmjax.thresholds.alpha_u(model.with_margin(k)).value)(0.0)",
    "robust_capacity, 4 replicas": "fmjax.thresholds.robust_capacity(model, 4)",
}
COMMAND = ["franz-parisi", "--alpha", "0.5", "--reference-margin", "0.3", "--distances", "0.005:0.4:80", "--json"]


def seconds(arguments, cache):
    """Of a process of this interpreter with this folder for compiled programs."""
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache), "PYTHONPATH": str(HERE)}
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def fastest(repeat, arguments):
    """Of several processes, each with an empty cache."""
    found = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as cache:
            found.append(seconds(arguments, cache))
    return min(found)


def measure(out, repeat, reproduce):
    out.table("from nothing, in a fresh process", "seconds")
    rows = {"NumPy/SciPy: curve of 80 distances": NUMPY}
    rows |= {f"fmjax: {name}": FMJAX.format(distances=DISTANCES, answer=answer) for name, answer in ANSWERS.items()}
    for name, program in rows.items():
        out.row(name, f"{fastest(repeat, ['-c', program]):.1f}")
    with tempfile.TemporaryDirectory() as cache:
        for name in ("fmjax franz-parisi, 80 distances", "the same command again"):
            out.row(name, f"{seconds(['-m', 'fmjax.cli', *COMMAND], cache):.1f}")
    if reproduce:
        with tempfile.TemporaryDirectory() as directory:
            arguments = ["-m", "fmjax.cli", "reproduce", "--quick", "--out", str(Path(directory, "out"))]
            out.row("fmjax reproduce --quick", f"{fastest(1, arguments):.1f}")


def main():
    parser = record.parser(__doc__)
    parser.add_argument("--repeat", type=int, default=1, help="processes per row, of which the fastest counts")
    parser.add_argument("--reproduce", action="store_true", help="time the main command of the README, too")
    options = parser.parse_args()
    with record.results("first_answer", options.record) as out:
        measure(out, options.repeat, options.reproduce)


if __name__ == "__main__":
    main()
