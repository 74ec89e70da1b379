"""Whose secret a run is made under: the store's own, one in a file, or that of a published board."""

from __future__ import annotations

import secrets
from pathlib import Path

from benchmark.errors import BenchError
from benchmark.store.secret import BYTES, known_secret, read_secret, store_secret
from leaderboard.judge.published import PREFIX, published_folder
from leaderboard.judge.run import described_run

FILE = "secret.txt"


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
    folder = published_folder(wanted)
    if (path := folder / FILE).exists():
        return path
    version = described_run(folder)["version"]
    raise BenchError(
        f"the board {folder.name} was made before boards had a secret: "
        f"install watermark-bench {version}, the version that made it, to reproduce it"
    )
