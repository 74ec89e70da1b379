"""The version of the rules that verdicts follow from, and the verdicts that a board had under earlier ones."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from benchmark.errors import BenchError

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


@dataclass(frozen=True)
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
        if path.is_file():
            try:
                lines = csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode()))
                verdicts = [_of_a_line(line) for line in lines]
            except (OSError, EOFError, KeyError, ValueError, TypeError, csv.Error, zlib.error) as error:
                raise BenchError(f"{path} can't be read ({error}): restore it from where it was published") from error
            found.append(EarlierBoard(rules, verdicts))
    return found


def _of_a_line(line: Mapping[str, str]) -> EarlierVerdict:
    texts: dict[str, Any] = {one.name: line[one.name] for one in fields(EarlierVerdict)}
    return EarlierVerdict(**texts | {name: float(texts[name]) for name in ("alpha", "budget")})


def keep_verdicts(folder: Path) -> dict[str, bytes]:
    """The file that is to keep the verdicts of the board in `folder`, by name; none where it was judged by these rules.

    They are those of its matrix.csv, which names its rules from version 2 on. One that doesn't say what it was judged
    at is too old to compare.
    """
    path = folder / "matrix.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    if not lines or not lines[0].keys() >= {"job_judged", "alpha", "budget"}:
        return {}
    rules = int(lines[0].get("rules") or 1)
    name = _FILE.format(rules)
    if rules >= RULES or (folder / name).exists():
        return {}
    kept = io.StringIO()
    writer = csv.writer(kept, lineterminator="\n")
    writer.writerow(one.name for one in fields(EarlierVerdict))
    for line in lines:
        if job := line["job_judged"]:
            kind = "innocent" if line["innocent"] == "True" else line["kind"]
            words = line["verdict"], line["verdict_with_commitment"], line["alpha"], line["budget"]
            writer.writerow([line["scheme"], line["attack"], kind, line["replicate"], *words, short(job)])
    return {name: gzip.compress(kept.getvalue().encode(), mtime=0)}


def short(job: str) -> str:
    """As much of a job's id as names it among those of a board."""
    return job[:12]
