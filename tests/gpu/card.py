"""How busy the card is while a command runs, as nvidia-smi says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

# utilization.gpu: the percent of the last sampling period (1/6 s to 1 s) in which a kernel was running
NVIDIA_SMI = (
    "nvidia-smi", "-i", "0", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits", "-lms", "200",
)  # fmt: skip
STAND_IN = ("sh", "-c", "while :; do echo '50, 1000'; sleep 0.2; done")  # where there is no card: the same form
BENCH = (sys.executable, "-c", "from watermark_bench import main; main()")


@dataclass(frozen=True)
class Load:
    """Of the card while a command ran: percent of the time busy, the mean of all samples, and the most memory in MB."""

    busy: float
    memory: float


def watched(words: Sequence[str], sampler: Sequence[str]) -> tuple[int, Load]:
    """The exit code of `bench` with these words, and the load meanwhile, start-up and pages included."""
    smi = subprocess.Popen(sampler, stdout=subprocess.PIPE, text=True)
    try:
        code = bench(*words)
    finally:
        smi.terminate()
        printed, _ = smi.communicate()
    return code, load(printed)


def load(printed: str) -> Load:
    """What the lines `percent, MB` of nvidia-smi come to; a last line that was cut off is left out."""
    lines = [line.split(",") for line in printed.splitlines(keepends=True) if line.endswith("\n")]
    return Load(fmean(float(busy) for busy, _ in lines), max(float(memory) for _, memory in lines))


def bench(*words: str, into: Path | None = None) -> int:
    """Run a command to its end; its exit code. into: the file that gets its output, else it is this process's."""
    if into is None:
        return subprocess.run([*BENCH, *words], check=False).returncode
    with into.open("w") as file:
        return subprocess.run([*BENCH, *words], stdout=file, check=False).returncode
