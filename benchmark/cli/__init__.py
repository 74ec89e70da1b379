"""The command `bench`: it parses, calls and prints. Heavy imports wait inside the commands that need them."""

from __future__ import annotations

import os
import select
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from benchmark import __version__
from benchmark.cli import (
    advise,
    boards,
    calibrate,
    commitments,
    evidence,
    inspect,
    kit,
    options,
    reproduce,
    run,
    single_model,
    store,
    verify,
)
from benchmark.cli.output import prepare
from benchmark.errors import EXIT_INTERRUPTED, BenchError, Stopped

EPILOG = """
\b
Exit codes:
    0  every cell has a verdict, or the command did what it was asked
    1  the benchmark itself failed: a defect, please report it with the output
       of --debug
    2  the command, a parameter, a file or a folder is wrong
    3  some cells crashed, timed out or have not run; calibrate: also fresh
       keys that accuse too often
    4  compare: a verdict got worse for the owner; replay: the result is
       different; commitment verify: an item does not open; store verify: a
       file is not as it should be
  130  interrupted by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP: everything
       finished is kept
"""


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """End with 0 where whoever reads the output has closed it, as `bench list | head -1` does; click would end with 1.

    A pipe that breaks elsewhere, such as one to a worker, stays an error.
    """
    try:
        yield
    except BrokenPipeError:
        output = select.poll()
        for stream in (sys.stdout, sys.stderr):
            output.register(stream, 0)  # asks for errors alone, of which a closed reader is one
        if not (closed := output.poll(0)):
            raise
        for descriptor, _ in closed:
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)  # or else Python's last flush fails, too
        raise click.exceptions.Exit(0) from None


class _Piped(click.Group):
    """A group whose output may be cut short: that of a command, and its own help."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _reader_may_leave():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _reader_may_leave():
            return super().invoke(ctx)


@click.group(
    cls=_Piped, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="bench")
@click.option("--debug", is_flag=True, help="Show the full traceback of an error.")
def bench(debug: bool) -> None:
    """Neural-network watermarks against model theft: every scheme crossed with every attack.

    Start with `bench run --schemes all --attacks all`; `bench list` shows what there is.
    """


for command in (
    run.run, run.plan, inspect.list_, inspect.describe, boards.status, boards.show, boards.report, boards.table,
    inspect.doctor, inspect.speed, kit.new, kit.check, single_model.embed, verify.ask, verify.verify, evidence.compare,
    evidence.bundle, evidence.import_, evidence.replay, commitments.commitment, commitments.moved_open,
    calibrate.calibrate, reproduce.reproduce, store.store, advise.advise, run.audit,
):  # fmt: skip
    bench.add_command(command)


def main() -> None:
    """The console script: one clear sentence for every mistake, and the exit codes of `bench --help`."""
    prepare()
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        code = bench.main(arguments, prog_name="bench", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        options.say(error.format_message())
        code = 0
    except click.ClickException as error:
        with suppress(BrokenPipeError):
            error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort, Stopped) as stopped:
        with suppress(OSError):  # a terminal that hung up
            options.say("Interrupted: everything finished is kept; the same command goes on from here.", err=True)
        code = getattr(stopped, "exit_code", EXIT_INTERRUPTED)
    except Exception as error:
        debugged = f"{traceback.format_exc()}\n" if "--debug" in sys.argv else ""
        code, sentence = 1, str(error)
        if isinstance(error, BenchError):
            code = error.exit_code
        else:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(frame.filename).name}:{frame.lineno}"
            sentence = f"{type(error).__name__}: {error} ({place}); run again with --debug for the traceback"
        with suppress(BrokenPipeError):
            options.say(f"{debugged}Error: {sentence}", err=True)
    sys.exit(code if isinstance(code, int) else 0)
