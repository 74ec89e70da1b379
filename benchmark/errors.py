"""What a user may see: text that steers no terminal, and the exceptions whose message is one sentence for him."""

from __future__ import annotations

import errno
from typing import TypeGuard

EXIT_OK = 0  # every cell has a verdict
EXIT_USAGE = 2  # the command, a parameter, a file or a folder is wrong
EXIT_INCOMPLETE = 3  # some cells crashed or timed out
EXIT_WORSE = 4  # compare: a verdict got worse for the owner; replay: the result is different
EXIT_INTERRUPTED = 130  # Ctrl-C; another signal ends with 128 and its number


class BenchError(Exception):
    """A mistake the user can mend. The message is one clear sentence that says how."""

    exit_code = EXIT_USAGE


class NotApplicable(Exception):
    """This attack or scheme can't be run on this net, release or scheme; the message says why."""


class Stopped(BaseException):
    """A signal that asks the process to end, raised where it was at work. Like Ctrl-C, it is no error to be caught."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def printable(text: str) -> str:
    """Text on one line, with nothing in it that a terminal would obey or that has no form in UTF-8.

    Control characters, line breaks, marks of direction and lone surrogates become spaces.
    """
    return text if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text)


def refused(error: BaseException | None) -> TypeGuard[OSError]:
    """Whether the system refused access: by permissions, or by a file system that can only be read."""
    return isinstance(error, PermissionError) or (isinstance(error, OSError) and error.errno == errno.EROFS)


def message_of(error: object, most: int | None = None) -> str:
    """What an exception says, its lines and gaps drawn together, cut at `most` signs where that is given."""
    return " ".join(str(error).split())[:most]
