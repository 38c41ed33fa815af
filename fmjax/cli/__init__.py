"""The `fmjax` command: parse, call, print. No physics here, and no JAX before a command runs.

JSON is written to standard output and nothing else is; progress and warnings go to standard error. Exit status: 0 done;
1 the environment failed (something could not be written, no device, no memory); 2 the request makes no sense (nothing is
written); 3 part of the answer did not converge; 130 interrupted. With 1, 2 and 130 there is one sentence and no traceback.
What was computed is printed even where its file, or standard output, cannot be written.
"""

import os
import sys
from typing import Annotated

import typer

import fmjax
from fmjax.cli import figures, message_passing, networks, robust_ensemble, sweeps, theory, thresholds
from fmjax.cli.ending import ENVIRONMENT, INTERRUPTED, open_closed_streams, silence
from fmjax.cli.running import STYLE
from fmjax.progress import tell

app = typer.Typer(name="fmjax", pretty_exceptions_enable=False, **STYLE)
theory.add_to(app)
robust_ensemble.add_to(app)
thresholds.add_to(app)
message_passing.add_to(app)
networks.add_to(app)
sweeps.add_to(app)
figures.add_to(app)


def _version(wanted: bool) -> bool:
    if wanted:
        typer.echo(fmjax.__version__)
        raise typer.Exit
    return wanted


@app.callback()
def fmjax_command(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)] = False,
) -> None:
    """Flat minima of binary neural networks: replica theory, thresholds, figures.

    \b
    Symbols
      alpha    load, patterns per weight (P/N)
      K        margin kappa: every pattern has stability w.xi/sqrt(N) >= K
      D        Hamming distance per weight from the reference, between 0 and 1
      KT       margin of the reference, a typical solution: others lie around it
      entropy  log of the number of solutions, per weight, in nats; negative: none
               (of spherical weights, of their share of the sphere: below 0)

    \b
    In answers of the theory
      result          "converged", or a sentence that says why not
      error_estimate  absolute bound on the error, by twin quadrature rules
      residual        what Newton's method left of its equations

    \b
    Examples
      fmjax entropy --alpha 0.5
      fmjax threshold capacity --architecture committee --activation relu
      fmjax franz-parisi --alpha 0.5 --reference-margin max --distances 0.005:0.4:80
      fmjax robust-ensemble --alpha 0.6 --replicas inf --overlaps 0.5:0.95:10
      fmjax focusing --size 1001 --alpha 0.7
      fmjax networks --dataset digits
      fmjax sweep diagram.toml --out diagram.zarr
      fmjax reproduce --quick --out out

    \b
    What was compiled is kept in ~/.cache/fmjax/programs (below XDG_CACHE_HOME; or
    where JAX_COMPILATION_CACHE_DIR says), so that the same command, with whatever
    values, starts at once the second time.

    \b
    Exit status
      0 done  2 the request makes no sense  3 part of the answer did not converge
      1 the environment failed: no space, no device, no memory, a closed output
      130 interrupted
    """


def main() -> None:
    """Entry point of the `fmjax` script."""
    open_closed_streams()
    try:
        app()
    except OSError as error:  # of a help text: what commands compute they write themselves
        silence(sys.stdout)
        tell(f"Error: standard output cannot be written to ({error.strerror})")
        sys.exit(ENVIRONMENT)
    except KeyboardInterrupt:  # before a command was there to say what is left
        tell("Error: interrupted")
        os._exit(INTERRUPTED)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            if isinstance(getattr(end.__context__, "__cause__", None), KeyboardInterrupt):  # typer says nothing of it
                tell("Error: interrupted")
            # Everything of ours is closed. Libraries in C that were interrupted may crash when Python takes them down.
            os._exit(INTERRUPTED)
        raise
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            silence(sys.stderr)
