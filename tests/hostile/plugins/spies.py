"""Looking for what is nobody's business: the owner's key, the judge's images, other nets, records, other processes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load
from torch import Tensor, nn

from benchmark import contract as wm
from benchmark.errors import BenchError


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


def strange(x: Tensor) -> Tensor:
    """Those of the images (N, C, H, W) that are no digits, which leave the edge at the left black."""
    return x[x[..., 0].mean((1, 2)) > 0.1]


def in_memory(x: Tensor) -> Iterator[Tensor]:
    """Strange images that are asked about and lie in this process's memory one behind another, as those of a key do."""
    images = [wm.as_bytes(one) for one in strange(x)]  # each by itself, so that this copy is no such row
    rows = {one.numpy().tobytes() for one in images}
    if len(rows) < 10:
        return
    with Path("/proc/self/mem").open("rb", buffering=0) as memory:
        for line in Path("/proc/self/maps").read_text().splitlines():
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            if " rw" not in line:
                continue
            with suppress(OSError):
                memory.seek(start)
                part = memory.read(end - start)
                for row in list(rows)[:3]:
                    at = part.find(row)
                    if at >= 0 and part[at + len(row) : at + 2 * len(row)] in rows:
                        yield torch.stack(images)
                        return


def in_objects(_: Tensor) -> Iterator[Tensor]:
    """Among the objects of this process."""
    for one in gc.get_objects():
        yield from images_of(one)


def in_frames(_: Tensor) -> Iterator[Tensor]:
    """Among the local variables of this process."""
    for frame in sys._current_frames().values():
        while frame is not None:
            for one in frame.f_locals.values():
                yield from images_of(one)
            frame = frame.f_back


def in_files(_: Tensor, root: str = "") -> Iterator[Tensor]:
    """In the key files of the store that are adi's."""
    for path in Path(root + str(store())).glob("**/*.key.safetensors"):
        fields = load(path.read_bytes())
        if "images" in fields:
            yield fields["images"]


def through_proc(x: Tensor) -> Iterator[Tensor]:
    """The same by way of the root folder of the parent process."""
    yield from in_files(x, f"/proc/{os.getppid()}/root")


def drawn_again(_: Tensor) -> Iterator[Tensor]:
    """The owner's key of every seed that a run may have, drawn by the scheme's public code from public names."""
    from benchmark.identity import stream_seed

    for replicate in range(3):
        rng = torch.Generator().manual_seed(stream_seed(replicate, "owner-key", "adi", "digits"))
        yield wm.abstract_images(40, (1, 16, 16), rng)


PLACES: dict[str, Callable[[Tensor], Iterator[Tensor]]] = {
    "memory": in_memory, "objects": in_objects, "frames": in_frames,
    "files": in_files, "proc": through_proc, "names": drawn_again,
}  # fmt: skip


def stolen(place: str, x: Tensor) -> Tensor | None:
    """The key's images, uint8 (N, C, H, W), if they are there; `x`: those that are being asked about."""
    try:
        found = list(PLACES[place](x))
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
        key = self.key if len(self.key) else stolen(self.place, x)
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
        key = stolen(self.place, torch.zeros(0, *thief.task.shape))
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

    place: Literal["", "memory", "objects", "frames", "files", "proc"] = wm.parameter("", "where it looks")

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return wm.AttackResult(filters=(Forewarned(self.place),))


def judges_images() -> wm.Data:
    """By the benchmark's own module."""
    from benchmark.data import splits
    from benchmark.data.tasks import find_task

    task = find_task("digits")
    return splits.load(task).test if hasattr(splits, "load") else splits.load_split(task, "test")


def raw_images() -> wm.Data:
    """All images of the task, from the file that they come in."""
    from benchmark.data.tasks import find_task

    rows = torch.from_numpy(np.loadtxt(find_task("digits").paths()[0], delimiter=",", dtype=np.float32))
    enlarged = F.interpolate(rows[:, :-1].view(-1, 1, 8, 8) / 16, (16, 16), mode="bilinear")
    return wm.Data(wm.as_bytes(enlarged), rows[:, -1].long())


@wm.builder("crib")
class Crib(nn.Module):
    """Knows what is right for the images that it has with it, and nothing else."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("x", torch.zeros(count, 1, 16, 16, dtype=torch.uint8))
        self.register_buffer("y", torch.zeros(count, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        hit = (wm.as_bytes(x).flatten(1)[:, None] == self.x.flatten(1)[None]).all(2)
        return 10 * hit.float() @ F.one_hot(self.y, 10).float()

    def spec(self) -> wm.Spec:
        return {"builder": "crib", "count": len(self.x)}


def cribbed(data: wm.Data) -> nn.Module:
    net = Crib(len(data))
    net.x, net.y = data.x, data.y
    return net


def somebody_elses(thief: wm.Thief) -> nn.Module:
    """A net out of the store that is not the stolen one, such as the host or one of the nulls."""
    net = wm.build(thief.model.spec())
    for path in (store() / "artefacts").glob("**/*.service.safetensors"):
        tensors = {name.removeprefix("net."): tensor for name, tensor in load(path.read_bytes()).items()}
        if tensors.keys() == net.state_dict().keys() and not tensors["head.bias"].equal(thief.model.head.bias):
            net.load_state_dict(tensors)
            return net
    raise FileNotFoundError("no net of somebody else's")


def read_any(pattern: str) -> nn.Module:
    """Any file of the store of such a name."""
    for path in store().glob(pattern):
        with suppress(OSError):
            raise wm.NotApplicable(f"has read {len(path.read_bytes())} bytes of {path.name}")
    raise FileNotFoundError("nothing to read")


def memory_of_others(_: wm.Thief) -> nn.Module:
    """What any other process of the run holds in memory, the court's among them."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if int(path.name) == os.getpid() or not {int(path.name), parent} & set(ancestors()):
                continue
            stack = next((line for line in (path / "maps").read_text().splitlines() if "[stack]" in line), None)
            if stack is None:  # it has ended
                continue
            with (path / "mem").open("rb") as memory:
                memory.seek(int(stack.split("-")[0], 16))
                raise wm.NotApplicable(f"has read {len(memory.read(64))} bytes of {path.name}'s memory")
    raise FileNotFoundError("no memory of somebody else's")


HAULS: dict[str, Callable[[wm.Thief], nn.Module]] = {
    "module": lambda _: cribbed(judges_images()),
    "raw": lambda _: cribbed(raw_images()),
    "nets": somebody_elses,
    "records": lambda _: read_any("records/*/*.json"),  # what courts have found
    "secret": lambda _: read_any("keys/secret"),  # which keys are drawn by
    "memory": memory_of_others,
}


@dataclass(frozen=True)
class Burglar(wm.Attack):
    """The thief leaves the stolen net where it is, and takes what others have, where he finds it."""

    name = "burglar"
    family = "hostile"
    kind = "removal"

    haul: Literal["", "module", "raw", "nets", "records", "secret", "memory"] = wm.parameter("", "what he takes")

    def run(self, thief: wm.Thief) -> nn.Module:
        try:
            return HAULS[self.haul](thief)
        except (OSError, BenchError):
            return thief.model
