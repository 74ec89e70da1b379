"""What a fault cost: a row of docs/reliability.md."""

from __future__ import annotations

import statistics
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from reliability.plans import finished, results

from benchmark.store.records import RecordStore
from benchmark.store.verify import verify

HEAD = (
    "| fault | times tried | records at stake | lost | damaged | time to continue |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: |"
)


@dataclass
class Row:
    """at_stake: records that were finished when a fault came, of all tries together. lost: those of them that were
    gone or made anew. damaged: files and results that are not what they were."""

    fault: str
    tried: int = 0
    at_stake: int = 0
    lost: int = 0
    damaged: int = 0
    waits: list[float] = field(default_factory=list)  # seconds from the next start to the next finished job

    def struck(self, before: dict[str, int]) -> None:
        """Count a try, given what was finished just before. Without anything, nothing could be lost: no try."""
        assert before, f"{self.fault}: nothing was finished yet"
        self.tried += 1
        self.at_stake += len(before)

    def compare(self, before: dict[str, int], store: RecordStore, meant: Collection[str] = ()) -> None:
        """Count what is lost of what was finished before, and what is damaged. meant: ids of jobs to be made anew."""
        after = finished(store)
        lost = {name for name, stamp in before.items() if after.get(name) != stamp}
        self.lost += len(lost - {f"{id}.json" for id in meant})
        self.damaged += damaged(store)

    def compare_end(self, store: RecordStore, reference: dict[str, Any]) -> None:
        found = results(store)
        self.damaged += sum(found.get(id) != record for id, record in reference.items())

    def add(self, other: Row) -> None:
        self.tried += other.tried
        self.at_stake += other.at_stake
        self.lost += other.lost
        self.damaged += other.damaged
        self.waits += other.waits

    def __str__(self) -> str:
        wait = f"{statistics.median(self.waits):.1f} s" if self.waits else "–"
        return f"| {self.fault} | {self.tried} | {self.at_stake:,} | {self.lost} | {self.damaged} | {wait} |"


def damaged(store: RecordStore) -> int:
    """How many files are not what their records say. A stopped job may have replaced what its record will name."""
    return sum(finding.kind == "damaged" for finding in verify(store)) + len(store.damaged)
