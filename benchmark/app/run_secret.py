"""Whose secret a run is made under: the store's own, one in a file, or that of a published board."""

from __future__ import annotations

import secrets
from pathlib import Path

from benchmark.errors import BenchError
from benchmark.store.secret import BYTES, known_secret, read_secret, store_secret

PREFIX, FILE = "published:", "secret.txt"


def run_secret(store: Path, wanted: str | None = None, *, keep: bool = True) -> bytes:
    """The secret that a plan for `store` is made under. Where it has none, one is drawn and kept there.

    wanted: a file, or "published:NAME". keep: False where the plan is only looked at and nothing is written. Raises
    BenchError, also for a board that was made before boards had a secret.
    """
    own = known_secret(store)
    given = None if wanted is None else read_secret(_file(wanted))
    if own and given and own != given:
        raise BenchError(f"the store {store} has a secret of its own: choose another --results for that of --secret")
    return store_secret(store, given) if keep else given or own or secrets.token_bytes(BYTES)


def secret_files(wanted: str | None) -> tuple[Path, ...]:
    """Where the wanted secret lies. Raises BenchError as `run_secret` does."""
    return () if wanted is None else (_file(wanted),)


def _file(wanted: str) -> Path:
    if not wanted.startswith(PREFIX):
        return Path(wanted)
    from leaderboard.judge.run import read_run  # only here: they load pandas
    from leaderboard.pages.publish import PUBLISHED

    name = wanted.removeprefix(PREFIX)
    boards = sorted(path.parent.name for path in PUBLISHED.glob("*/run.json.gz"))
    if name not in boards:
        there = ", ".join(boards) or "none, for published boards are not part of an installed package"
        raise BenchError(f"no published board is called {name!r}: there are {there}")
    if (path := PUBLISHED / name / FILE).exists():
        return path
    version = read_run(PUBLISHED / name).described["version"]
    raise BenchError(
        f"the board {name} was made before boards had a secret: "
        f"install watermark-bench {version}, the version that made it, to reproduce it"
    )
