"""The command that made a run, changed so that it makes again what is lost or failed."""

from __future__ import annotations

import shlex


def retrying(command: str, what: str) -> str:
    """The command of a run.json, made to run again what is `what`: crashed, not-applicable or damaged."""
    try:
        words = shlex.split(command)
    except ValueError:  # a quote too many: it was not written by `bench run`
        return f"{command} --retry {what}"
    paired = zip(["", *words], words, strict=False)
    kept = [word for before, word in paired if word not in ("--fresh", "--retry") and before != "--retry"]
    return shlex.join([*kept, "--retry", what])
