"""Looking for the owner's key: in the thief's process while it attacks, and where its filter is asked."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark import contract as wm


def ancestors() -> list[int]:
    """This process's parent, its parent and so on."""
    found, pid = [], os.getppid()
    while pid > 1:
        found.append(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def store() -> Path:
    """The store of the run, read off the command line of its driver."""
    for pid in ancestors():
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if "--results" in words:
            return Path(words[words.index("--results") + 1]) / "store"
    raise FileNotFoundError("no ancestor names its results")


def images_of(one: object) -> Iterator[Tensor]:
    """The images of a key."""
    if issubclass(type(one), wm.Key):
        yield one.images


def in_objects() -> Iterator[Tensor]:
    """Among the objects of this process."""
    for one in gc.get_objects():
        yield from images_of(one)


def in_frames() -> Iterator[Tensor]:
    """Among the local variables of this process."""
    for frame in sys._current_frames().values():
        while frame is not None:
            for one in frame.f_locals.values():
                yield from images_of(one)
            frame = frame.f_back


def in_files(root: str = "") -> Iterator[Tensor]:
    """In the key files of the store that are adi's."""
    for path in Path(root + str(store())).glob("**/*.key.safetensors"):
        fields = load_file(path)
        if "images" in fields:
            yield fields["images"]


def through_proc() -> Iterator[Tensor]:
    """The same by way of the root folder of the parent process."""
    yield from in_files(f"/proc/{os.getppid()}/root")


def drawn_again() -> Iterator[Tensor]:
    """The owner's key of every seed that a run may have, drawn by the scheme's public code from public names."""
    from benchmark.identity import stream_seed

    for replicate in range(3):
        rng = torch.Generator().manual_seed(stream_seed(replicate, "owner-key", "adi", "digits"))
        yield wm.abstract_images(40, (1, 16, 16), rng)


PLACES: dict[str, Callable[[], Iterator[Tensor]]] = {
    "objects": in_objects, "frames": in_frames, "files": in_files, "proc": through_proc, "names": drawn_again,
}  # fmt: skip


def stolen(place: str) -> Tensor | None:
    """The key's images, uint8 (N, C, H, W), if they are there."""
    try:
        found = list(PLACES[place]())
    except OSError:
        return None
    return torch.cat(found) if found else None


@wm.builder("forewarned")
class Forewarned(nn.Module):
    """Blanks the key's images, which it has with it, or looks for wherever it is asked."""

    def __init__(self, place: str, count: int = 0) -> None:
        super().__init__()
        self.place = place
        self.register_buffer("key", torch.zeros(count, 1, 16, 16, dtype=torch.uint8))

    def forward(self, x: Tensor) -> Tensor:
        key = self.key if len(self.key) else stolen(self.place)
        if key is None:
            return x
        hit = (wm.as_bytes(x).flatten(1)[:, None] == key.flatten(1)[None]).all(2).any(1)
        return torch.where(hit[:, None, None, None], torch.zeros_like(x), x)

    def spec(self) -> wm.Spec:
        return {"builder": "forewarned", "place": self.place, "count": len(self.key)}


@dataclass(frozen=True)
class InDen(wm.Attack):
    """The thief looks for the key while he attacks, and ships a filter that knows its images."""

    name = "spy-in-den"
    family = "hostile"
    kind = "evasion"
    access = "labels"

    place: Literal["", "files", "proc", "names"] = wm.parameter("", "where he looks")

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        key = stolen(self.place)
        if key is None:
            return wm.AttackResult()
        knowing = Forewarned(self.place, len(key))
        knowing.key = key
        return wm.AttackResult(filters=(knowing,))


@dataclass(frozen=True)
class InCourt(wm.Attack):
    """The thief ships a filter that looks for the key when it is asked."""

    name = "spy-in-court"
    family = "hostile"
    kind = "evasion"
    access = "labels"

    place: Literal["", "objects", "frames", "files", "proc"] = wm.parameter("", "where it looks")

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return wm.AttackResult(filters=(Forewarned(self.place),))
