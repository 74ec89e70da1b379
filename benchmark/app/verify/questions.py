"""Questions on paper: images in a folder for whoever can ask the suspect, and answers that come back.

They come in a table, or, of a net that makes images, as PNG files of the questions' names in the folder `answers/`.

The folder says of no image whether it bears the key's mark, and neither does its manifest, which holds the hashes of
all images, in the order of their numbers, and what the court's random streams are named by. Which images bear the mark
follows from these and the key.
"""

from __future__ import annotations

import csv
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from benchmark.app.standalone_files import ArtefactFile
from benchmark.app.verify.claims import Claim
from benchmark.app.verify.courtroom import Courtroom, Unasked, stranger
from benchmark.app.verify.pictures import digest, pixels, png
from benchmark.app.verify.suspects import ANSWERS, Counted, Questioned, refuse
from benchmark.data.splits import Data, as_bytes, as_float
from benchmark.data.tasks import Task, find_task
from benchmark.description import read
from benchmark.errors import BenchError, printable
from benchmark.execution.processes.foreign_models import scores_of_labels
from benchmark.files import content, read_json, write_whole
from benchmark.identity import content_hash
from benchmark.protocol.answers import Answers, differing
from benchmark.protocol.court import Suspect
from benchmark.protocol.graph import Operator
from benchmark.protocol.objects import ServiceFailed
from benchmark.vocabulary import Access

MANIFEST, TABLE, IMAGES = "manifest.json", "answers.csv", "answers"


@dataclass(frozen=True)
class Questionnaire:
    """The manifest of a folder of questions: nothing in it is secret.

    key: SHA-256 of the key's file. occasion: what names the court's streams. images: SHA-256 of the pixels of each, in
    the order of their numbers.
    """

    key: str
    task: str
    occasion: str
    images: tuple[str, ...]
    schema: Literal[1] = 1

    def name(self, number: int) -> str:
        return f"{number + 1:0{len(str(len(self.images)))}}.png"


@dataclass(frozen=True)
class Questions:
    """A folder of questions that was written. answers: the table to fill, or the folder for images.

    images: how many are asked. takes: how many items of the key the sequential test takes, in words, where that can be
    said: see `Courtroom.beforehand`.
    """

    folder: Path
    answers: Path
    images: int
    task: str
    takes: str


@dataclass(frozen=True)
class Sheet:
    """Answers in the order of the questions: scores (N, classes), or images, float (N, C, H, W) in [0, 1]."""

    path: Path
    questions: Questionnaire
    scores: Tensor


class Written:
    """A suspect that has answered in writing. Each image has the first answer that was given to it."""

    def __init__(self, sheets: Sequence[Sheet]) -> None:
        self.answers: dict[str, Tensor] = {}
        self.changed = 0  # images that were answered otherwise when they were asked again
        for sheet in sheets:
            for name, scores in zip(sheet.questions.images, sheet.scores, strict=True):
                first = self.answers.setdefault(name, scores)
                self.changed += bool(differing(Answers(first[None]), scores[None]).any())

    def ask(self, x: Tensor, access: Access) -> Tensor:
        return torch.stack([self.answers[digest(image)] for image in as_bytes(x)])

    def graph(self, shape: Sequence[int]) -> list[Operator]:
        """Raises ServiceFailed."""
        raise ServiceFailed("answers show no weights")


def write_questions(claim: Claim, out: Path, earlier: Sequence[Path], device: str) -> Questions:
    """Write a folder of questions: PNG files, the manifest, and a table to fill, or a folder for images.

    earlier: answers to the questions that were asked before, of a court that goes on by what was answered.
    Raises BenchError where the court can't ask in writing, has nothing more to ask, or `out` holds something already.
    """
    refuse(claim)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BenchError(f"{out} already holds something: choose another --out")
    sheets = read_sheets(earlier, claim)
    occasion = sheets[0].questions.occasion if sheets else secrets.token_hex(16)
    room = Courtroom.of(claim, device, occasion)
    keyed, probe = room.first_questions()
    own = probe.x.cpu()
    if sheets:
        keyed = _further(room, sheets)
        order = torch.randperm(len(own), generator=room.rng(f"innocents {len(sheets)}"))
        own = own[order[: len(keyed)]]
    images = {digest(image): image for image in torch.cat([keyed, own])}
    names = list(images)
    shuffled = torch.randperm(len(names), generator=room.rng(f"order {len(sheets)}")).tolist()
    questions = Questionnaire(claim.file.sha256, room.context.task.name, occasion, tuple(names[i] for i in shuffled))
    columns = ["image", "label"]
    if claim.scheme.court == "probabilities":
        columns += [f"p{label}" for label in range(room.context.task.classes)]
    rows = [",".join([questions.name(number), *[""] * (len(columns) - 1)]) for number in range(len(names))]
    try:
        for number, name in enumerate(questions.images):
            write_whole(out / questions.name(number), png(images[name]), lasting=False)
        write_whole(out / MANIFEST, (json.dumps(asdict(questions), indent=1) + "\n").encode())
        answers = out / (IMAGES if room.context.task.kind == "image-to-image" else TABLE)
        if answers.name == IMAGES:
            answers.mkdir()
        else:
            write_whole(answers, "\n".join([",".join(columns), *rows, ""]).encode())
    except OSError as error:
        raise BenchError(f"{out} can't be written ({error.strerror}): choose another --out") from error
    return Questions(out, answers, len(names), questions.task, room.beforehand())


def _further(room: Courtroom, sheets: Sequence[Sheet]) -> Tensor:
    """The images that the court asks next, now that it has these answers."""
    suspect, probe = written(room, sheets)
    court, scheme = room.court(probe, suspect.answered), room.claim.scheme
    answers = room.answers(suspect.asked, probe)
    try:
        scheme.observe(Suspect(suspect.service, suspect.asked, answers, scheme.court, court), room.claim.key, court)
    except Unasked as unasked:
        return unasked.images
    raise BenchError(f"the court of {scheme.name} has nothing more to ask: bench verify gives its verdict")


def written(room: Courtroom, sheets: Sequence[Sheet]) -> tuple[Questioned, Data]:
    """A suspect that has answered in writing, and the judge's images among what it was asked. Raises BenchError."""
    first = sheets[0]
    if len({sheet.scores.shape[1] for sheet in sheets}) > 1 or len({one.questions.occasion for one in sheets}) > 1:
        raise BenchError(
            f"{first.path} and {sheets[-1].path} answer different questions: give those that belong together"
        )
    _, probe = room.first_questions()
    said = Written(sheets)
    if any(digest(image) not in said.answers for image in probe.x.cpu()):
        raise BenchError(f"{first.path.with_name(MANIFEST)} is not the one that was written: restore it")
    name = ", ".join(str(one.path) for one in sheets)
    sha256 = content_hash(first.path) if first.path.is_file() else None
    notes = (f"{said.changed} images got another answer when they were asked again",) if said.changed else ()
    found = Questioned(name, ANSWERS, sha256, stranger(ANSWERS), Counted(said), True, said.answers.keys(), notes)
    return found, probe


def read_sheets(tables: Sequence[Path], claim: Claim) -> list[Sheet]:
    """All that was answered; see `read_sheet`."""
    return [read_sheet(path, claim.file, find_task(claim.profile.task)) for path in tables]


def read_sheet(path: Path, key: ArtefactFile, task: Task) -> Sheet:
    """The answers at `path`, whose questions' manifest lies beside it. Raises BenchError in one sentence."""
    images = task.kind == "image-to-image"
    beside = path.with_name(MANIFEST)
    mend = f"put {IMAGES if images else TABLE} back into the folder that bench ask wrote"
    questions = read(Questionnaire, read_json(beside, mend), str(beside), mend)
    if (questions.key, questions.task) != (key.sha256, task.name):
        raise BenchError(f"{beside} belongs to questions of another key or task than {key.path}: give that --key")
    if images:
        return Sheet(path, questions, _images(path, questions, task))
    try:
        text = content(path).decode("utf-8-sig")
        head, *rows = [row for row in csv.reader(text.splitlines(), strict=True) if row]
    except (OSError, ValueError, csv.Error) as error:
        raise BenchError(f"{path} can't be read as a table ({error}): save it as CSV, as bench ask wrote it") from error
    return Sheet(path, questions, _scores(path, questions, [one.strip() for one in head], rows, task.classes))


def _images(folder: Path, questions: Questionnaire, task: Task) -> Tensor:
    """The image that answers each question, float (N, C, H, W) in [0, 1]."""
    names = [questions.name(number) for number in range(len(questions.images))]
    there = {one.name for one in folder.iterdir()} if folder.is_dir() else set[str]()
    if missing := [name for name in names if name not in there]:
        raise BenchError(f"{folder}: {len(missing)} images have no answer, such as {missing[0]}: answer every image")
    if strange := sorted(there - {*names}):
        raise BenchError(f"{folder} holds {printable(strange[0])[:80]!r}, which is none of the images: remove it")
    found = []
    for name in names:
        try:
            found.append(pixels(content(folder / name), task.shape))
        except OSError as error:
            raise BenchError(f"{folder / name} can't be read ({error.strerror or error}): restore it") from error
        except ValueError as error:
            raise BenchError(f"{folder / name} is no answer: {error}") from error
    return as_float(torch.stack(found))


def _scores(path: Path, questions: Questionnaire, head: list[str], rows: list[list[str]], classes: int) -> Tensor:
    shares = [f"p{label}" for label in range(classes)]
    if head not in (["image", "label"], ["image", "label", *shares]):
        raise BenchError(f"{path}: the first line is {','.join(head)[:80]}, not image,label: restore it")
    places, seen = {questions.name(number): number for number in range(len(questions.images))}, set[str]()
    for line, row in enumerate(rows, 2):
        name = row[0].strip()
        if len(row) != len(head):
            raise BenchError(f"{path}: line {line} has {len(row)} columns, not {len(head)}")
        if name not in places:
            raise BenchError(f"{path}: line {line} names {printable(name)[:80]!r}, which is none of the images")
        if name in seen:
            raise BenchError(f"{path}: line {line} answers {name} a second time: leave one answer for each image")
        seen.add(name)
    if missing := [name for name in places if name not in seen]:
        raise BenchError(f"{path}: {len(missing)} images have no line, such as {missing[0]}: answer every image")
    for line, (row, name) in enumerate(zip(rows, places, strict=True), 2):
        if row[0].strip() != name:
            raise BenchError(
                f"{path}: line {line} names {row[0].strip()} where {name} stood: put the lines back into their order, "
                "so that no answer slips to another image"
            )
    by_shares = len(head) > 2 and any(cell.strip() for row in rows for cell in row[2:])
    read_row = _shares if by_shares else _label
    answers = [read_row(f"{path}: line {line} ({row[0]})", row[1:], classes) for line, row in enumerate(rows, 2)]
    if by_shares:
        return torch.tensor(answers).clamp_min(torch.finfo(torch.float32).tiny).log()
    return scores_of_labels(torch.tensor([int(one) for (one,) in answers]), classes)


def _label(where: str, cells: list[str], classes: int) -> list[float]:
    label = cells[0].strip()
    if not label:
        raise BenchError(f"{where} has no answer: answer every image")
    if not (label.isascii() and label.isdigit() and int(label[:9]) < classes):
        raise BenchError(f"{where} answers {printable(label)[:40]!r}, which is no class: they are 0 to {classes - 1}")
    return [int(label)]


def _shares(where: str, cells: list[str], classes: int) -> list[float]:
    try:
        shares = [float(cell) for cell in cells[1:]]
    except ValueError as error:
        raise BenchError(f"{where} lacks a probability: give one for each of {classes} classes") from error
    if not all(0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > 0.02:
        raise BenchError(f"{where} has probabilities that do not add up to 1, or lie outside 0 and 1")
    return [share / sum(shares) for share in shares]
