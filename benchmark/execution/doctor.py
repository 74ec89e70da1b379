"""Whether this Python can run the benchmark, found without importing torch where possible."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmark import __version__
from benchmark.data.sources import DATA_SETS
from benchmark.data.tasks import data_root
from benchmark.errors import BenchError
from benchmark.execution.placement import host
from benchmark.execution.placement.devices import devices
from benchmark.execution.processes import landlock
from benchmark.execution.processes.namespaces import can_separate
from benchmark.execution.processes.silence import can_be_silenced
from benchmark.plugins.parameters import first_few
from watermark_bench import HOME, NEEDED, PACKAGES, namesakes

TELLING = {  # variables of the environment that decide what is computed, or with which code
    "CUDA_VISIBLE_DEVICES": "says which GPUs are seen",
    "CUBLAS_WORKSPACE_CONFIG": "says how a GPU adds up",
    "ATEN_CPU_CAPABILITY": "says which instructions of the processor torch uses",
    "ONEDNN_MAX_CPU_ISA": "says which instructions of the processor torch uses",
    "MKL_ENABLE_INSTRUCTIONS": "says which instructions of the processor torch uses",
    "PYTHONPATH": "is searched before installed packages",
    "LD_LIBRARY_PATH": "is searched before the libraries that torch brings",
    "LD_PRELOAD": "replaces parts of programs",
}
HARMFUL = {  # those that nobody should set for a benchmark
    "NVIDIA_TF32_OVERRIDE": "changes the arithmetic of a GPU: unset it",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "changes the arithmetic of a GPU: unset it",
    "PYTHONWARNINGS": "can turn warnings into crashes: unset it",
    "PYTHONOPTIMIZE": "leaves out what a plug-in asserts: unset it",
}
REINSTALL = "install both anew from one place: pip install --force-reinstall torch torchvision"


@dataclass(frozen=True)
class Finding:
    """One line of `bench doctor`."""

    ok: bool
    what: str
    detail: str


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


@cache
def versions() -> dict[str, str]:
    """Of Python, and of the packages that compute."""
    packages = ("torch", "torchvision", "torch-pruning", "numpy", "scipy")
    found = {package: version(package) or "not installed" for package in packages}
    extra = {"timm": timm} if (timm := version("timm")) else {}
    # an editable install keeps the number that it began with
    return {"python": platform.python_version(), "watermark-bench": __version__, **found, **extra}


def torch_mismatch() -> str | None:
    """Why torch and torchvision can't work together, from their metadata alone; None when they fit.

    torchvision pins the torch it was compiled against, and a CPU build of one fails beside a CUDA build of the
    other ("operator torchvision::nms does not exist").
    """
    torch, vision = version("torch"), version("torchvision")
    if torch is None or vision is None:
        missing = " and ".join(name for name, v in (("torch", torch), ("torchvision", vision)) if v is None)
        return f"{missing} is not installed: run pip install -e ."
    for requirement in importlib.metadata.requires("torchvision") or []:
        pinned = re.match(r"torch\s*\(?==\s*([0-9.]+)", requirement)
        if pinned and pinned[1] != torch.split("+")[0]:
            return f"torchvision {vision} was built for torch {pinned[1]}, and torch {torch} is installed: {REINSTALL}"
    builds = {part.partition("+")[2][:2] for part in (torch, vision) if "+" in part}
    if len(builds) > 1:
        return f"torch {torch} and torchvision {vision} are builds for different devices: {REINSTALL}"
    return None


def check_environment(device: str) -> None:
    """Raises BenchError when jobs could not run in this environment, or a GPU is asked for and there is none."""
    if mismatch := torch_mismatch():
        raise BenchError(mismatch)
    devices(device)


def examine(results: Path) -> Iterator[Finding]:
    """Everything `bench doctor` looks at, cheap things first."""
    yield Finding(True, "Python", sys.version.split()[0])
    missing = [name for name in NEEDED if version(name) is None]
    detail = f"missing: {', '.join(missing)}: run pip install -e ." if missing else f"{len(NEEDED)} found"
    yield Finding(not missing, "packages", detail)
    yield _own_packages()
    yield _import_path()
    yield _environment()
    mismatch = torch_mismatch()
    versions = f"{version('torch')}, {version('torchvision')}"
    yield Finding(mismatch is None, "torch and torchvision", mismatch or versions)
    yield _imports()
    yield _folder(results)
    yield _data()
    yield _walls()
    yield Finding(True, "workers", f"{host.workers(None)} by default; this process may use {host.cores()} cores")


def _own_packages() -> Finding:
    """Whether the benchmark's packages are whole, as far as an installation tells."""
    listed = importlib.metadata.files("watermark-bench") or [] if version("watermark-bench") else []
    installed = {Path(one) for one in listed if one.parts[0] in PACKAGES}  # none where it runs from its repository
    there = {path.relative_to(HOME) for package in PACKAGES for path in Path(HOME, package).rglob("*.py")}
    missing = [*(Path(one) for one in PACKAGES if not Path(HOME, one).is_dir()), *sorted(installed - there)]
    strange = sorted(there - installed) if installed else []
    for files, fault in ((missing, "missing"), (strange, "somebody else's")):
        if files:
            detail = f"{first_few([*map(str, files)])} in {HOME}: {fault}: install watermark-bench again"
            return Finding(False, "own packages", detail)
    return Finding(True, "own packages", HOME)


def _import_path() -> Finding:
    """Whether something on the import path is taken for a module of the same name."""
    taken, left = list[str](), list[str]()
    for folder, path in namesakes():
        spec = importlib.util.find_spec(Path(path).relative_to(folder).parts[0].removesuffix(".py"))
        (taken if spec and spec.origin and Path(spec.origin).samefile(path) else left).append(path)
    if taken:
        cure = "rename what is yours, take its folder off PYTHONPATH, or start the benchmark as bench"
        return Finding(False, "import path", f"{first_few(taken)} is imported in place of what is called so: {cure}")
    return Finding(True, "import path", f"not used: {first_few(left)}" if left else "every name stands for one module")


def _environment() -> Finding:
    """The variables of the environment that matter."""
    said = [f"{name}={os.environ[name]!r} {what}" for name, what in (TELLING | HARMFUL).items() if name in os.environ]
    return Finding(os.environ.keys().isdisjoint(HARMFUL), "environment", "; ".join(said) or "nothing set that matters")


def _imports() -> Finding:
    """Import both in a process of their own: what metadata can't show (a broken wheel, a missing driver)."""
    code = (
        "import torch, torchvision; "
        "print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else 'no GPU: everything runs on the CPU')"
    )
    path = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}  # that of the processes that run jobs
    done = subprocess.run([sys.executable, "-P", "-c", code], env=path, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Finding(True, "device", done.stdout.strip())
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return Finding(False, "device", f"torch and torchvision don't import together ({last}): {REINSTALL}")


def _walls() -> Finding:
    """Whether the kernel keeps plug-ins of others from the store; a run goes on without."""
    if not landlock.version():
        none = "none here: a plug-in of somebody else's can read the store and others' images (SECURITY.md)"
        return Finding(True, "walls", none)
    missing = [] if can_separate() else ["no namespaces"]
    missing += [] if can_be_silenced() else ["no filter of system calls"]
    less = f"; {' and '.join(missing)}: a plug-in may leave notes for the next process (SECURITY.md)" if missing else ""
    return Finding(True, "walls", f"Landlock, version {landlock.version()}{less}")


def _folder(results: Path) -> Finding:
    nearest = next(path for path in (results.absolute(), *results.absolute().parents) if path.exists())
    free = shutil.disk_usage(nearest).free / 2**30
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        return Finding(False, "results folder", f"{nearest} can't be written: choose another --results")
    return Finding(free > 1, "results folder", f"{results}: {free:.0f} GB free")


def _data() -> Finding:
    """Which published data sets lie in the data root; the others are fetched when a task asks for them."""
    root = data_root()
    there = [name for name, data_set in DATA_SETS.items() if not any(data_set.missing(root))]
    return Finding(True, "data root", f"{root.absolute()}: {', '.join(there) or 'no data set yet'}")
