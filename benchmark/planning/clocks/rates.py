"""How fast this machine trains a profile's nets: probed once, then remembered in the user's cache.

What a rate was measured with is its name there: device and hardware, torch and the code of the engine, which sets
threads and precision, the net, its images and its recipe. So a rate is found again without torch, and never one of
another machine whose home is the same. Rates decide no result and are in no job's id.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.data.tasks import find_task
from benchmark.description import read
from benchmark.digest.code_digest import engine_hash
from benchmark.errors import BenchError
from benchmark.files import read_json, user_cache, write_whole
from benchmark.identity import canonical

_GPUS, _FIRST_GPU = Path("/proc/driver/nvidia/gpus"), Path("/dev/nvidia0")
_PROBE = "import sys; sys.path[:] = sys.argv[1:]; from benchmark.planning.clocks.probe import main; main()"
_TIMED = ("batch", "optimiser", "shift", "flip")  # what of a recipe a step's time depends on
_LONGEST = 300.0  # seconds that a probe may take: loading torch, and a step of the largest net


@dataclass(frozen=True)
class Hardware:
    """What computes: `device` as records call it, "cpu" or "cuda", and the `name` of the processor or the GPU."""

    device: str
    name: str


@dataclass(frozen=True)
class TrainingRate:
    """operations: multiply-adds for one trained image, forward and backward; 0 where no probe could be made."""

    operations: float
    images_per_second: float

    def __post_init__(self) -> None:
        if not (self.operations >= 0 and self.images_per_second > 0):
            raise ValueError("a rate is above 0")

    @property
    def operations_per_second(self) -> float:
        return self.operations * self.images_per_second


GUESS = TrainingRate(0.0, 5_000.0)  # a small net on one core


@cache
def processor() -> str:
    """The name of the CPU."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def hardware(wanted: str) -> Hardware:
    """What `--device` stands for here, found without torch: "auto" is the GPU where the driver shows one."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or "+cpu" in importlib.metadata.version("torch")
    gpus = sorted(_GPUS.glob("*/information"))
    if wanted == "cpu" or (wanted == "auto" and (hidden or not (gpus or _FIRST_GPU.exists()))):
        return Hardware("cpu", processor())
    lines = gpus[0].read_text().splitlines() if gpus else []
    return Hardware("cuda", next((line.split(":", 1)[1].strip() for line in lines if line.startswith("Model")), ""))


def gpus(wanted: str) -> int:
    """How many GPUs `--device` stands for here; 0 where it is the CPU."""
    if hardware(wanted).device == "cpu":
        return 0
    return 1 if ":" in wanted else max(1, len(list(_GPUS.glob("*/information"))))


class Rates:
    """The rates of a run's nets. worlds: of its tracks, as a job's payload holds them. Probed when first asked for."""

    def __init__(self, worlds: Sequence[Mapping[str, Any]], device: str) -> None:
        self._worlds, self._hardware = worlds, hardware(device)
        self._device = device if ":" in device else self._hardware.device
        self._found: list[TrainingRate] = []
        self._asked: set[int] = set()  # of which worlds

    @property
    def found(self) -> list[TrainingRate]:
        """One for each world."""
        if not self._found:
            known = [_remembered(self._path(world)) for world in self._worlds]
            missing = [world for world, rate in zip(self._worlds, known, strict=True) if rate is None]
            probed = _probed(missing, self._device) if missing else []
            for world, rate in zip(missing, probed, strict=True):
                if rate is not GUESS:
                    _remember(self._path(world), rate)
            unknown = iter(probed)
            self._found = [rate or next(unknown) for rate in known]
        return self._found

    def missing(self) -> list[Mapping[str, Any]]:
        """The worlds whose rate is not known yet."""
        return [world for world in self._worlds if _remembered(self._path(world)) is None]

    def keep(self, world: Mapping[str, Any], rate: TrainingRate) -> None:
        """Remember what was measured elsewhere, such as of a net whose code no probe here may import."""
        _remember(self._path(world), rate)

    def of(self, world: Mapping[str, Any]) -> TrainingRate:
        """That of the same net, or else of another that learns the same task."""
        likeness = [
            (one["task"] == world["task"], one["architecture"] == world["architecture"]) for one in self._worlds
        ]
        self._asked.add(number := likeness.index(max(likeness)))
        return self.found[number]

    def said(self) -> str:
        """How fast each net that was asked for is trained on what, in words."""
        if GUESS in self.found:
            return f"a guess of {GUESS.images_per_second:,.0f} trained images/s, for this device could not be probed"
        rates = [
            f"{rate.operations_per_second / 1e9:.3g} G ({world['architecture']})"
            for number, (world, rate) in enumerate(zip(self._worlds, self.found, strict=True))
            if number in self._asked
        ]
        return f"{' and '.join(rates)} multiply-adds/s on {self._hardware.name or self._hardware.device}"

    def _path(self, world: Mapping[str, Any]) -> Path:
        task, recipe = find_task(world["task"]), {name: world["training"][name] for name in _TIMED}
        named = {
            **asdict(self._hardware), "torch": importlib.metadata.version("torch"), "engine": engine_hash(),
            "net": world["architecture"], "recipe": recipe, "precision": world["precision"],
            "steps": world.get("engine", "auto"), "images": [task.kind, task.classes, task.shape],
        }  # fmt: skip
        return user_cache() / "rates" / f"{hashlib.sha256(canonical(named).encode()).hexdigest()}.json"


def _remembered(path: Path) -> TrainingRate | None:
    try:
        return read(TrainingRate, read_json(path, ""))
    except BenchError:
        return None  # not there, or damaged: it is measured again


def _remember(path: Path, rate: TrainingRate) -> None:
    with suppress(OSError):  # a home that can't be written: it is measured again next time
        write_whole(path, json.dumps(asdict(rate)).encode())


def _probed(worlds: Sequence[Mapping[str, Any]], device: str) -> list[TrainingRate]:
    """What a probe finds for each. An estimate must stop no run: a guess, where the probe fails."""
    question = json.dumps({"worlds": worlds, "device": device})
    command = [sys.executable, "-P", "-c", _PROBE, *sys.path]
    try:
        done = subprocess.run(command, input=question, capture_output=True, text=True, timeout=_LONGEST, check=True)
        return [read(TrainingRate, one) for one in json.loads(done.stdout)]
    except (OSError, ValueError, BenchError, subprocess.SubprocessError):
        return [GUESS] * len(worlds)
