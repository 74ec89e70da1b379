"""What of a store no run needs any more."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from benchmark.errors import BenchError
from benchmark.store.files import StoreFile, store_files
from benchmark.store.records import RecordStore, examine
from benchmark.store.verify import LEFTOVER


def unneeded(store: RecordStore, jobs: Collection[str]) -> list[StoreFile]:
    """The files that serve none of `jobs`: records and artefacts of others, artefacts that no record names, leftovers.

    Logs, the secret and files that are not the store's are never among them. The caller holds the store's lock.
    """
    found = list(store_files(store.root))
    named = set()
    for one in found:
        if one.kind == "record" and one.job and one.job in jobs and one.path.exists():
            record, _ = examine(one.path, one.job)
            named |= set() if record is None else {one.path, *store.artefacts(record)}
    made = ("record", "artefact", "key")
    return [one for one in found if one.kind in LEFTOVER or (one.kind in made and one.path not in named)]


def free(those: Collection[StoreFile]) -> None:
    """Remove files, and the folders that are empty then. Raises BenchError naming one that can't be removed."""
    for one in those:
        try:
            one.path.unlink()
        except OSError as error:
            raise BenchError(f"{one.path} can't be removed ({error.strerror}): mend it and try again") from error
        with suppress(OSError):  # it holds more
            one.path.parent.rmdir()
