"""Whatever a suspect runs on: a model's file, a function or an address, ready to be asked by a court."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from benchmark.app import standalone_files
from benchmark.app.verify.claims import Claim, card_beside
from benchmark.app.verify.courtroom import stranger
from benchmark.app.verify.http_suspect import HttpSuspect
from benchmark.app.verify.library_suspect import library_service, names_library_net
from benchmark.data.tasks import find_task
from benchmark.errors import BenchError, message_of
from benchmark.execution.processes.foreign_models import FORMS, FUNCTION
from benchmark.execution.suspect_process import suspect_process
from benchmark.execution.walls import task_files, walls
from benchmark.identity import content_hash
from benchmark.protocol.graph import Operator
from benchmark.protocol.objects import Asked, Service, ServiceFailed
from benchmark.training.device import device_of
from benchmark.vocabulary import Access
from leaderboard.pages.single_model import WRITTEN

OWN, LIBRARY, ADDRESS, ANSWERS = "model of this benchmark", "library net", "address", WRITTEN
_ADDRESS = re.compile(r"https?://\S+")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class Counted:
    """A suspect whose images are counted. foreign: it may answer with probabilities, which are read as logarithms."""

    def __init__(self, asked: Asked, *, foreign: bool = True) -> None:
        self._asked, self._foreign = asked, foreign
        self.images = self.width = 0  # images asked, and classes that it answers with

    def ask(self, x: Tensor, access: Access) -> Tensor:
        answer = self._asked.ask(x, access)
        self.images += len(x)
        if answer.dim() == 2:
            self.width = answer.shape[1]
            shares = bool((answer >= 0).all()) and bool(((answer.sum(1) - 1).abs() < 1e-3).all())
            if self._foreign and shares and access == "outputs":
                return answer.clamp_min(torch.finfo(answer.dtype).tiny).log()
        return answer

    def graph(self, shape: Sequence[int]) -> list[Operator]:
        return self._asked.graph(shape)


@dataclass(frozen=True)
class Questioned:
    """A suspect that is ready to be asked.

    name: as it was given. form: what it is, in words. sha256: of its file; None where it has none. service: its net at
    rest, of a model of this benchmark. sampled: whether every question costs somebody, so that no more of the judge's
    images are asked than hide the key's. answered: of written answers, the images that have one, by the digests of
    their pixels; None of a suspect that answers whatever it is asked.
    """

    name: str
    form: str
    sha256: str | None
    service: Service
    asked: Counted
    sampled: bool = False
    answered: Collection[str] | None = None
    notes: tuple[str, ...] = ()
    address: HttpSuspect | None = field(default=None, repr=False)


def form_of(name: str) -> str:
    """What a suspect of this name is. Raises BenchError where it is nothing that can be asked."""
    if _ADDRESS.fullmatch(name):
        return ADDRESS
    if names_library_net(name):
        return LIBRARY
    ending = Path(name).suffix.lower()
    if ending == ".safetensors":
        return OWN
    if ending in FORMS:
        return FORMS[ending]
    if _FUNCTION.fullmatch(name) and not Path(name).exists():
        return FUNCTION
    endings = ", ".join([*FORMS, ".safetensors"])
    raise BenchError(
        f"--suspect {name} is nothing that can be asked: give a file that ends in {endings}, module:function, "
        "torchvision:NAME or timm:NAME with --weights, or an address that begins with https:// or http://"
    )


@contextmanager
def questioned(
    name: str, weights: Path | None, claim: Claim, root: Path, device: str, rate: float
) -> Iterator[Questioned]:
    """The suspect called `name`, which can read neither the key nor the images of the task, nor the store `root`.

    weights: the file of a library's net. Raises BenchError where it can't be opened, or the scheme's court asks for
    what it doesn't show.
    """
    form, task = form_of(name), find_task(claim.profile.task)
    if (weights is not None) != (form == LIBRARY):
        raise BenchError("--weights FILE and --suspect torchvision:NAME or timm:NAME go together: give both or neither")
    if weights is not None:
        service = library_service(name, weights, task)
        running = service.running(device_of(device))
        yield Questioned(name, form, content_hash(weights), service, Counted(running, foreign=False))
        return
    if form == OWN:
        with _own(Path(name), claim, root, device) as found:
            yield found
        return
    refuse(claim)
    if form == ADDRESS:
        client = HttpSuspect(name, claim.file.path.parent, claim.file.sha256, task, rate)
        with client:
            yield Questioned(name, form, None, stranger(form), Counted(client), True, address=client)
        return
    if form == "onnx" and importlib.util.find_spec("onnxruntime") is None:
        raise BenchError(f"{name} needs onnxruntime: pip install 'watermark-bench[onnx]'")
    path = Path(name)
    if form != FUNCTION and not path.is_file():
        raise BenchError(f"--suspect {name} can't be read: give the path of a file")
    try:
        sha256 = None if form == FUNCTION else content_hash(path)
    except OSError as error:
        raise BenchError(f"--suspect {name} can't be read ({error.strerror}): give the path of a file") from error
    around = walls("suspect", root, task_files([task.name]), None, hidden=[claim.file.path])
    around = around and replace(around, silent=form != FUNCTION)  # which may ask a service elsewhere
    with suspect_process(device, around) as remote:
        try:
            where = name if form == FUNCTION else str(path.absolute())
            remote.open(form, where, os.getcwd(), task.classes)
        except ServiceFailed as error:
            why = message_of(error, 200)
            raise BenchError(f"--suspect {name} can't be opened as {form} ({why})") from error
        yield Questioned(name, form, sha256, stranger(form), Counted(remote))


@contextmanager
def _own(path: Path, claim: Claim, root: Path, device: str) -> Iterator[Questioned]:
    """A model of this benchmark: asked here, or in a process of its own where it needs code of others."""
    file = standalone_files.peek(path)
    card_beside(file)
    service = standalone_files.open_service(path, claim.setting.stages[0].declaration, claim.registry)
    where = root, claim.profile.task, [claim.file.path]
    with standalone_files.served(path, service, claim.registry, device, *where) as running:
        yield Questioned(str(path), OWN, file.sha256, service, Counted(running, foreign=False))


def refuse(claim: Claim) -> None:
    """Raise BenchError where answers don't show what the scheme's court asks for."""
    scheme = claim.scheme
    if scheme.court == "weights":
        raise BenchError(
            f"the court of {scheme.name} reads weights, which answers don't show: it needs the model's own file, "
            "--suspect model.safetensors"
        )
