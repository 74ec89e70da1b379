"""Terminals, pipes and signals as a command may meet them: nothing of these may cost what a run has finished.

Text is folded to the terminal's width, 80 columns where there is none.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TextIO, cast

from benchmark.errors import Stopped
from benchmark.execution.processes.kernel import DUMPABLE, set_option

WIDEST = 110  # columns: longer lines are read less easily
_SEAM = "\0"  # where a label may be broken: printable text never holds it


def prepare() -> None:
    """Make this process fit for whatever started it. SIGTERM and SIGHUP raise `Stopped`, where they are not ignored.

    Nobody else of this user reads its memory: a command may hold a key, or the secret.
    """
    set_option(DUMPABLE, 0)
    for _ in range(3):  # a closed descriptor would go to the next file, and what libraries print into that file
        if (descriptor := os.open(os.devnull, os.O_RDWR)) > 2:
            os.close(descriptor)
            break
        os.set_inheritable(descriptor, True)  # workers need it as well
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # what the terminal has no sign for is no reason to stop
    for sign in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(sign) is not signal.SIG_IGN:  # nohup
            signal.signal(sign, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)


def folded(text: str, indent: int) -> str:
    """A line of text on as many lines as the terminal needs, all but the first indented.

    Words stay whole; the label of a setting that no line holds is broken after its commas and plus signs. indent: in
    columns. What stands before it, if it ends with a space, is a name, and never folded.
    """
    width = max(20, min(WIDEST, shutil.get_terminal_size().columns - 1) - indent)
    name = text[:indent] if text[indent - 1 : indent] in ("", " ") else ""
    breakable = re.compile(rf"\S{{{width + 1},}}")
    rest = breakable.sub(lambda label: re.sub(r"(?<=[,+])(?=.)", f"{_SEAM} ", label[0]), text[len(name) :])
    lines = textwrap.wrap(rest, width, break_long_words=False, break_on_hyphens=False)
    found = [line.replace(f"{_SEAM} ", "").removesuffix(_SEAM) for line in lines]
    return ("\n" + " " * indent).join([name + "".join(found[:1]), *found[1:]])


class _Outlived:
    """An output that may break, after which what is written to it is lost."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        with self._survived():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._survived():
            self.stream.flush()

    @contextmanager
    def _survived(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())  # for what is written later, Python's last flush included
            os.close(nowhere)
            print(f"The output is gone ({error.strerror}): the run goes on and writes its pages.", file=sys.stderr)


@contextmanager
def outlives_its_reader() -> Iterator[None]:
    """Let a run go on where whoever reads its output has closed it, as `bench run | head -1` does.

    Also where the output is a file on a full disk, or a terminal that hung up.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, _Outlived(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before
