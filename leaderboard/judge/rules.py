"""The version of the rules that verdicts follow from, and the verdicts that a board had under earlier ones."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from benchmark.errors import BenchError, message_of
from benchmark.files import MOST_BYTES, MOST_DESCRIBED, table_rows

RULES = 2
CHANGES: Mapping[int, Sequence[str]] = {  # by version, what it changed: one sentence for each change
    2: (
        "Where the law of a fresh key is exact, the verdict rests on p_key alone; unmarked models are a check beside "
        "it.",
        "Bits and signs are judged on both sides: an inverted mark is a mark.",
        "Where 1/alpha - 1 keys were drawn anew, p_key is by rank.",
        "Further views of a suspect, such as its aligned weights, are tries: the least p of k counts k-fold.",
        "The grade is that of the number shown.",
        "A mark has survived where the court accepts its owner's claim: one that a gate refuses is unprovable.",
        "A mark that a gate refuses in the model as delivered was not embedded.",
        "A claim before a court that no key could convince counts nowhere.",
        "A classifier that does not beat the most frequent class is of no use, and no null.",
        "An attack may name the channel that decides.",
        "A mark that survives in a model without use is flagged, and counted apart.",
        "Training anew is held against an unmarked net that was trained as long as the marked one, too.",
        "In a claim, a key that can be ground pays for its fit to unmarked readings.",
    ),
}
_FILE = "verdicts-rules-{}.csv.gz"


@dataclass(frozen=True, slots=True)
class EarlierVerdict:
    """What a cell was called before, at which alpha and budget. job: the beginning of the id of its examination."""

    scheme: str
    attack: str
    kind: str
    replicate: str
    verdict: str
    committed: str
    alpha: float
    budget: float
    job: str


_FIELDS = tuple(one.name for one in fields(EarlierVerdict))
_COLUMNS = {*_FIELDS, "innocent", "verdict_with_commitment", "job_judged"} - {"committed", "job"}  # of matrix.csv


@dataclass(frozen=True)
class EarlierBoard:
    """The verdicts that a board had under older rules, of cells that were examined."""

    rules: int
    verdicts: Sequence[EarlierVerdict]


def earlier_boards(folder: Path) -> list[EarlierBoard]:
    """The verdicts that are kept beside a board's records, the oldest rules first. Raises BenchError where damaged."""
    found = []
    for rules in range(1, RULES):
        path = folder / _FILE.format(rules)
        if path.exists():
            try:
                verdicts = [_of_a_line(line) for line in table_rows(path, _FIELDS)]
            except (OSError, ValueError) as error:
                why = getattr(error, "strerror", None) or message_of(error, 200)
                raise BenchError(f"{path} can't be read ({why}): restore it from where it was published") from error
            found.append(EarlierBoard(rules, verdicts))
    return found


def _of_a_line(line: Mapping[str, Any]) -> EarlierVerdict:
    """Raises ValueError where a threshold is no number."""
    texts = {name: line[name] for name in _FIELDS}
    return EarlierVerdict(**texts | {name: float(texts[name]) for name in ("alpha", "budget")})


def keep_verdicts(folder: Path) -> dict[str, bytes]:
    """The file that is to keep the verdicts of the board in `folder`, by name; none where it was judged by these rules.

    They are those of its matrix.csv, which names its rules from version 2 on. One that doesn't say what it was judged
    at is too old to compare; from one that can't be read nothing is kept, for the pages are written anew.
    """
    kept, stated = io.StringIO(), set[int]()
    writer = csv.DictWriter(kept, _FIELDS, lineterminator="\n")
    writer.writeheader()
    try:
        for line in table_rows(folder / "matrix.csv", _COLUMNS, MOST_DESCRIBED):
            stated.add(int(line.get("rules") or 1))
            if line["job_judged"]:
                told = _kept(line)
                _of_a_line(told)  # what can't be read again, or is too large for it, would stop every later report
                writer.writerow(told)
            if kept.tell() > MOST_BYTES:
                return {}
    except (OSError, ValueError):
        return {}
    if len(stated) != 1 or not 1 <= (rules := stated.pop()) < RULES or (folder / _FILE.format(rules)).exists():
        return {}
    return {_FILE.format(rules): gzip.compress(kept.getvalue().encode(), mtime=0)}


def _kept(line: Mapping[str, str]) -> dict[str, str]:
    """What is kept of a line of matrix.csv."""
    return {name: line.get(name, "") for name in _FIELDS} | {
        "kind": "innocent" if line["innocent"] == "True" else line["kind"],
        "committed": line["verdict_with_commitment"],
        "job": short(line["job_judged"]),
    }


def short(job: str) -> str:
    """As much of a job's id as names it among those of a board."""
    return job[:12]
