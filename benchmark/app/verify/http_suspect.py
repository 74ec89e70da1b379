"""A suspect behind an address: images go there as PNG in JSON; labels, probabilities or images come back.

    POST {"images": ["<PNG, base64>", ...]}  ->  {"labels": [3, ...]} or {"probabilities": [[0.1, ...], ...]}

A net that makes images answers with {"images": ["<PNG, base64>", ...]}, each of the size of the one that was sent.

Every answer is kept in a file before the next question is sent, so a stopped command goes on where it stopped. The
same image is asked again where the court wants to see whether the answer is the same, and each time counts by itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path
from threading import Thread
from typing import Any

import torch
from torch import Tensor

from benchmark import __version__
from benchmark.app.verify.pictures import digest, pixels, png
from benchmark.data.splits import as_bytes, as_float
from benchmark.data.tasks import Task
from benchmark.errors import BenchError, printable
from benchmark.execution.processes.foreign_models import scores_of_labels
from benchmark.files import MOST_BYTES, json_value, lines
from benchmark.protocol.answers import Answers, differing
from benchmark.protocol.graph import Operator
from benchmark.protocol.objects import ServiceFailed
from benchmark.vocabulary import Access

PER_REQUEST = 20  # images
TRIES, FIRST_PAUSE, LONGEST_PAUSE = 6, 1.0, 120.0  # pauses in seconds: each is twice the one before
TIMEOUT = 30.0  # seconds for one whole answer
TOKEN = "WATERMARK_BENCH_TOKEN"
Answer = int | list[float] | Tensor  # a class, probabilities, or an image, uint8 (C, H, W)


class _AsItIs(urllib.request.HTTPErrorProcessor):
    """Takes every reply as it is: follows no address to another one, which would get the token."""

    def http_response(self, request: urllib.request.Request, response: HTTPResponse) -> HTTPResponse:
        return response

    https_response = http_response


@dataclass(frozen=True)
class _Reply:
    """What an address said, or how it broke off; rest: its `Retry-After`."""

    status: int
    reason: str
    rest: str
    data: bytes


class HttpSuspect:
    """What answers at `url`, of a task; answers are kept in a file beside the key.

    A context manager that holds the file open. rate: requests a second at most. Raises BenchError in one sentence for
    whatever the address does.
    """

    def __init__(self, url: str, folder: Path, commitment: str, task: Task, rate: float) -> None:
        self.url, self._task, self._rate = url, task, rate
        self._images = task.kind == "image-to-image"
        name = hashlib.sha256(f"{commitment} {url}".encode()).hexdigest()[:16]
        self.path = folder / f"asked-{name}.jsonl"
        self._kept: dict[str, list[Answer]] = defaultdict(list)
        self._turn: dict[str, int] = defaultdict(int)  # how often each image was asked in this examination
        self._next = 0.0
        self._days: list[str] = []

    def __enter__(self) -> HttpSuspect:
        try:
            self.path.touch(mode=0o600)
            self._read()
            self._file = self.path.open("ab")
        except OSError as error:
            raise BenchError(f"{self.path}, which keeps the answers, can't be written ({error.strerror})") from error
        except ValueError as error:
            raise BenchError(f"{self.path} holds no answers ({error}): delete it to ask anew") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _read(self) -> None:
        whole = 0
        for number, line in enumerate(lines(self.path), 1):
            if not line.endswith(b"\n"):  # it was being written when the command was stopped
                break
            try:
                kept = json_value(line)
                self._kept[str(kept["image"])].append(self._checked([kept["answer"]], 1)[0])
                self._days.append(str(kept["day"]))
            except (ValueError, KeyError, TypeError, BenchError) as error:
                again = "delete the file to ask anew"
                raise BenchError(f"{self.path}: line {number} is no answer that was kept: {again}") from error
            whole += len(line)
        os.truncate(self.path, whole)

    @property
    def notes(self) -> list[str]:
        """Where and when answers were given, and which image got two, in words."""
        days = " to ".join(dict.fromkeys((min(self._days), max(self._days))))
        found = [f"every answer is kept in {self.path}, given on {days}"]
        first = {image: answers[0] for image, answers in self._kept.items() if answers}
        changed = {
            image: other for image, one in first.items() for other in self._kept[image] if _otherwise(one, other)
        }
        if changed:
            image, other = next(iter(changed.items()))
            said = f"the one whose pixels have the SHA-256 {image}"
            if not self._images:
                said += f": class {_label(first[image])}, then {_label(other)}"
            what = "image" if self._images else "class"
            found.append(f"{len(changed)} images got another {what} when they were asked again, such as {said}")
        return found

    def ask(self, x: Tensor, access: Access) -> Tensor:
        """Scores (N, classes) or images (N, C, H, W) for images (N, C, H, W). Raises BenchError.

        Of an address that answers with labels, see `scores_of_labels`.
        """
        images = as_bytes(x).cpu()
        names, turns = [digest(image) for image in images], []
        for name in names:
            turns.append(self._turn[name])
            self._turn[name] += 1
        missing = [i for i, name in enumerate(names) if len(self._kept[name]) <= turns[i]]
        for start in range(0, len(missing), PER_REQUEST):
            part = missing[start : start + PER_REQUEST]
            answers = self._asked([png(images[i]) for i in part])
            self._keep([names[i] for i in part], answers)
        found: Any = [self._kept[name][turn] for name, turn in zip(names, turns, strict=True)]
        if self._images:
            return as_float(torch.stack(found))
        if all(isinstance(one, int) for one in found):
            return scores_of_labels(torch.tensor(found), self._task.classes)
        if any(isinstance(one, int) or len(one) != len(found[0]) for one in found):
            raise BenchError(
                f"{self.url} answers some images in one form and others in another: let it answer in "
                f"one form, and delete {self.path}, which keeps what it answered, to ask anew"
            )
        shares = torch.tensor(found, dtype=torch.float32)
        return shares / shares.sum(1, keepdim=True)

    def graph(self, shape: Sequence[int]) -> list[Operator]:
        raise ServiceFailed("an address shows no weights")

    def _keep(self, names: Sequence[str], answers: Sequence[Answer]) -> None:
        day = time.strftime("%Y-%m-%d", time.gmtime())
        for name, answer in zip(names, answers, strict=True):
            said = base64.b64encode(png(answer)).decode() if isinstance(answer, Tensor) else answer
            self._file.write((json.dumps({"image": name, "answer": said, "day": day}) + "\n").encode())
            self._kept[name].append(answer)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._days.append(day)

    def _asked(self, pictures: Sequence[bytes]) -> list[Answer]:
        """One request, tried again while the address is busy, silent or broken."""
        body = json.dumps({"images": [base64.b64encode(one).decode() for one in pictures]}).encode()
        pause, why = FIRST_PAUSE, ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            time.sleep(max(0.0, self._next - time.monotonic()))
            self._next = time.monotonic() + 1 / self._rate
            try:
                reply = self._sent(body)
            except (ValueError, InvalidURL) as error:
                raise BenchError(f"--suspect {self.url} is no address that can be asked ({error})") from error
            except (OSError, HTTPException) as error:  # a timeout, a name that leads nowhere, half an answer
                why = f"not at all ({printable(str(getattr(error, 'reason', None) or error or type(error).__name__))})"
                continue
            if 200 <= reply.status < 300:
                return self._checked(self._answers(reply.data), len(pictures))
            why = f"with {reply.status} {printable(reply.reason)}"
            if reply.status != 429 and reply.status < 500:
                said = printable(reply.data.decode(errors="replace")).strip()
                raise BenchError(f"{self.url} answers {why}{f' ({said})' if said else ''}: {self._safe}")
            pause = min(max(pause, _rest(reply.rest)), LONGEST_PAUSE)
        raise BenchError(f"{self.url} answered {why}, {TRIES} times in a row: {self._safe}")

    @property
    def _safe(self) -> str:
        kept = sum(map(len, self._kept.values()))
        return f"{kept} answers are kept in {self.path}, and the same command goes on from there"

    def _sent(self, body: bytes) -> _Reply:
        """What comes back within TIMEOUT. Raises OSError, HTTPException or ValueError.

        A socket's own limit is for each of its reads, and an address that sends a byte now and then would never reach
        it. So a thread asks, and is left alone where it takes too long.
        """
        said: Future[_Reply] = Future()

        def ask() -> None:
            try:
                said.set_result(self._reply(body))
            except BaseException as error:
                said.set_exception(error)

        Thread(target=ask, daemon=True).start()
        try:
            return said.result(TIMEOUT)
        except TimeoutError:
            raise TimeoutError(f"no whole answer within {TIMEOUT:g} s") from None

    def _reply(self, body: bytes) -> _Reply:
        headers = {"Content-Type": "application/json", "User-Agent": f"watermark-bench/{__version__}"}
        if token := os.environ.get(TOKEN):
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.url, body, headers)
        with urllib.request.build_opener(_AsItIs).open(request, timeout=TIMEOUT) as reply:
            data = b""
            if 200 <= reply.status < 300:
                data = reply.read(MOST_BYTES + 1)
            else:
                with suppress(OSError, HTTPException):  # it breaks off within what it says
                    data = reply.read(200)
            return _Reply(reply.status, reply.reason, reply.headers.get("Retry-After", ""), data)

    def _answers(self, data: bytes) -> list[Any]:
        forms = ("images",) if self._images else ("labels", "probabilities")
        form = '{"images": ["...", ...]}' if self._images else '{"labels": [...]} or {"probabilities": [[...], ...]}'
        try:
            if len(data) > MOST_BYTES:
                raise ValueError("it is too large")
            found = json_value(data)
            given = found.keys() & {*forms}
            (name,) = given
            return list(found[name])
        except (ValueError, AttributeError, TypeError) as error:
            raise BenchError(f"{self.url} answers with something that is not {form}: {self._safe}") from error

    def _checked(self, answers: list[Any], of: int) -> list[Answer]:
        if len(answers) != of:
            raise BenchError(f"{self.url} answers {of} images with {len(answers)} answers: {self._safe}")
        if self._images:
            return [self._image(one) for one in answers]
        for one in answers:
            label = type(one) is int and one >= 0
            shares = type(one) is list and len(one) > 1 and all(type(p) in (int, float) and 0 <= p <= 1 for p in one)
            if not label and not (shares and abs(sum(one) - 1) < 0.02):
                raise BenchError(
                    f"{self.url} answers with {printable(str(one))[:80]}, which is no class number and no list of "
                    f"probabilities: {self._safe}"
                )
        return answers

    def _image(self, answer: Any) -> Tensor:
        try:
            return pixels(base64.b64decode(answer, validate=True), self._task.shape)
        except (ValueError, TypeError) as error:
            why = str(error) if isinstance(answer, str) else f"it is a {type(answer).__name__}, not a text"
            raise BenchError(f"{self.url} answers with an image that can't be used ({why}): {self._safe}") from error


def _rest(said: str) -> float:
    """Seconds that a `Retry-After` asks for: a number, or a date; 0 where it is neither."""
    with suppress(ValueError):
        return float(said)
    with suppress(ValueError, OverflowError):
        return parsedate_to_datetime(said).timestamp() - time.time()
    return 0.0


def _label(answer: Any) -> int:
    return answer if isinstance(answer, int) else max(range(len(answer)), key=answer.__getitem__)


def _otherwise(one: Answer, other: Answer) -> bool:
    """Whether a second answer to an image is another than the first, in more than rounding."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return bool(differing(Answers(as_float(one)[None]), as_float(other)[None]).any())
    return bool(_label(one) != _label(other))
