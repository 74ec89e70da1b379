"""`bench verify` from a claim to an examination: of a suspect that can be asked, or of answers in writing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from torch import Tensor

from benchmark.app.verify.claims import Claim
from benchmark.app.verify.courtroom import Courtroom, Unasked
from benchmark.app.verify.examination import Examination, examine
from benchmark.app.verify.http_suspect import PER_REQUEST
from benchmark.app.verify.questions import read_sheets, written
from benchmark.app.verify.suspects import questioned
from benchmark.data.splits import Data
from benchmark.errors import BenchError
from benchmark.execution.run import STORE, Machine
from benchmark.protocol.court import BATCH

Say = Callable[[str], None]


def hear_suspect(
    claim: Claim, name: str, weights: Path | None, nulls: Machine | None, spare: Machine, rate: float,
    console: Console, say: Say,
) -> Examination:  # fmt: skip
    """Examine the suspect called `name`, a library's net with these weights; nulls, spare: see `examine`.

    say: is told beforehand what it will be asked.
    """
    machine = nulls or spare
    with questioned(name, weights, claim, machine.results / STORE, machine.device, rate) as suspect:
        room = Courtroom.of(claim, machine.device, f"suspect {suspect.sha256 or suspect.name}")
        probe, keyed = room.test, None
        if suspect.sampled:
            keyed, probe = room.first_questions()
            say(f"{_beforehand(claim, keyed, probe, rate)} {room.beforehand()}".strip())
        elif claim.scheme.court != "weights" and claim.admission["well_formed"]:
            keyed, _ = room.first_questions()
        seen = examine(room, suspect, probe, keyed, nulls, spare, console)
        return replace(seen, notes=(*seen.notes, *(suspect.address.notes if suspect.address else ())))


def hear_answers(
    claim: Claim, tables: Sequence[Path], nulls: Machine | None, spare: Machine, console: Console
) -> Examination:
    """Examine what was answered in writing. Raises BenchError where the court has more to ask."""
    sheets = read_sheets(tables, claim)
    room = Courtroom.of(claim, (nulls or spare).device, sheets[0].questions.occasion)
    suspect, probe = written(room, sheets)
    try:
        seen = examine(room, suspect, probe, None, nulls, spare, console)
    except Unasked as unasked:
        given = " ".join(f"--answers {path}" for path in tables)
        raise BenchError(
            f"the court of {claim.scheme.name} goes on by what was answered, and asks {len(unasked.images)} more: "
            f"bench ask --key {claim.file.path.parent} {given} --out FOLDER"
        ) from None
    return replace(seen, asked=sum(len(sheet.questions.images) for sheet in sheets))


def _beforehand(claim: Claim, keyed: Tensor, probe: Data, rate: float) -> str:
    """What an address will be asked, in words: twice, lest it tell a key's images by when they come."""
    if not len(keyed):
        count = -(-len(probe) // BATCH) * BATCH
        return (
            f"{claim.scheme.name} reads the answers to {len(probe)} images of the judge's own: {count:,} images in "
            f"{count // PER_REQUEST:,} requests, {count / PER_REQUEST / rate:.0f} s or more."
        )
    asked = 2 * -(-(len(keyed) + len(probe)) // BATCH) * BATCH
    least = "at least " if claim.scheme.null_law == "redrawn" else ""
    seconds = asked / PER_REQUEST / rate
    return (
        f"{claim.scheme.name} asks {len(keyed)} images by its key, among {len(probe)} of the judge's own, and "
        f"all of them twice: {least}{asked:,} images in {asked // PER_REQUEST:,} requests, {seconds:.0f} s or more."
    )
