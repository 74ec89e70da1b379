"""What code can leave behind in its process for the code that runs there next: settings and replaced functions.

Random generators are missing, since every job seeds them, and so are what `benchmark.training.device` sets anew for
each job, data of modules, and what only an import adds.
"""

from __future__ import annotations

import decimal
import gc
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from operator import is_
from types import ModuleType
from typing import Any

_LIBRARIES = ("torch", "torch.nn", "torch.nn.functional", "torch.optim", "torch.autograd", "torch.utils.data", "numpy",
              "numpy.linalg", "numpy.random", "random", "math", "builtins", "json", "hashlib", "copy")  # fmt: skip
_ENDING_SECONDS = 2.0
_OWN = ("benchmark", "schemes", "attacks")
_COMPILER = "torch._inductor.compile_fx"  # imported by benchmark.training.capture before its first use

_PYTHON: dict[str, Callable[[], object]] = {
    "the working directory": os.getcwd,
    "sys.path": lambda: list(sys.path),
    "the trace function": lambda: (sys.gettrace(), sys.getprofile()),
    "the recursion limit": sys.getrecursionlimit,
    "sys.stdout": lambda: (sys.stdout, sys.stderr),
    "warnings that are errors": lambda: [one for one in warnings.filters if one[0] == "error"],
    # torch's DataLoader sets that of SIGCHLD for good
    "signal handlers": lambda: [signal.getsignal(one) for one in signal.valid_signals() - {signal.SIGCHLD}],
    "threads": lambda: set(threading.enumerate()),
    "garbage collection": lambda: (gc.isenabled(), gc.get_threshold(), len(gc.callbacks)),
    "the decimal context": lambda: str(decimal.getcontext()),
    "denormal numbers": lambda: float("5e-324") * 1.0 > 0,
}
_TORCH = (
    "is_grad_enabled", "is_inference_mode_enabled", "is_anomaly_enabled", "get_default_dtype", "get_default_device",
    "are_deterministic_algorithms_enabled", "is_deterministic_algorithms_warn_only_enabled",
    "get_float32_matmul_precision", "is_warn_always_enabled", "get_num_interop_threads",
)  # fmt: skip
_BACKENDS = {  # of torch.backends; what needs a device to be asked is not among them
    "cudnn": ("enabled", "benchmark", "deterministic"),
    "mkldnn": ("enabled", "deterministic"),
    "mkl": ("verbose",),
}


class ProcessState:
    """The state of this process at the moment this is made."""

    def __init__(self) -> None:
        self._modules, self._compiler = len(sys.modules), _COMPILER in sys.modules
        self._settings: dict[str, Any] = dict(_settings())
        self._names = [(where, names, dict(names)) for where, names in _namespaces()]

    def outdated(self) -> bool:
        """Whether modules were imported since, whose functions it doesn't know."""
        return len(sys.modules) != self._modules

    def changed(self) -> list[str]:
        """What is different now, by name. A thread that is about to end, as a DataLoader's are, is waited for.

        Nothing where torch's compiler was used for the first time, which replaces functions all over torch.
        """
        if not self._compiler and _COMPILER in sys.modules:
            return []
        ended = time.monotonic() + _ENDING_SECONDS
        while set(threading.enumerate()) - self._settings["threads"] and time.monotonic() < ended:
            time.sleep(0.01)
        settings = dict(_settings())
        found = [name for name, value in self._settings.items() if name not in settings or settings[name] != value]
        for where, names, before in self._names:
            if not all(map(is_, before.values(), names.values())):  # what was added stands behind
                found += [f"{where}.{name}" for name, one in before.items() if _replaced(one, names.get(name))]
        return found


def _replaced(before: object, now: Any) -> bool:
    """Whether code was replaced, but for what torch wraps itself: an optimiser's `step`, and seeds for its compiler."""
    is_code = callable(before) or isinstance(before, property | classmethod | staticmethod)
    if not is_code or now is before:
        return False
    own = getattr(now, "hooked", False) or _file_of(now) == getattr(sys.modules.get("torch._compile"), "__file__", "")
    return not (own and getattr(now, "__wrapped__", None) is before)


def _file_of(function: object) -> str | None:
    return getattr(getattr(function, "__code__", None), "co_filename", None)


def _settings() -> Iterator[tuple[str, object]]:
    for name, ask in _PYTHON.items():
        with suppress(OSError):  # the working directory is gone
            yield name, ask()
    yield from ((f"os.environ[{name!r}]", value) for name, value in os.environ.items())  # a device adds its own
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        for name in _TORCH:
            yield f"torch.{name}", getattr(torch, name)()
        for backend, names in _BACKENDS.items():
            for name in names:
                yield f"torch.backends.{backend}.{name}", getattr(getattr(torch.backends, backend), name, None)
        yield "torch.is_autocast_enabled", [torch.is_autocast_enabled(device) for device in ("cpu", "cuda")]
        yield "torch's print options", repr(torch._tensor_str.PRINT_OPTS)
        modules = torch.nn.modules.module
        hooks = [value for name, value in vars(modules).items() if name.startswith("_global_")]
        yield "global hooks of torch.nn.Module", [len(one) for one in hooks if isinstance(one, dict)]
        yield "torch function modes", torch._C._len_torch_function_stack()
        yield "torch dispatch modes", torch._C._len_torch_dispatch_stack()
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        yield "numpy.geterr", (numpy.geterr(), numpy.geterrcall())
        yield "numpy.get_printoptions", repr(numpy.get_printoptions())


def _namespaces() -> Iterator[tuple[str, Mapping[str, object]]]:
    """The names in the libraries and in the benchmark's own modules, and in the classes that are defined there."""
    seen = set()
    for name in list(sys.modules):
        package, module = name.partition(".")[0], sys.modules[name]
        if (name in _LIBRARIES or package in _OWN) and isinstance(module, ModuleType):
            yield name, vars(module)
            for value in list(vars(module).values()):
                if isinstance(value, type) and value not in seen and value.__module__.startswith(package):
                    seen.add(value)
                    yield f"{name}.{value.__name__}", vars(value)
