"""Which errors are the machine's, so that the next run tries the job again."""

from __future__ import annotations

import errno

import numpy as np
import pytest
import torch

from benchmark.errors import BenchError
from benchmark.execution.mishaps import mishap


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def refused_by_numpy() -> MemoryError:
    try:
        np.empty(2**60, np.uint8)
    except MemoryError as error:
        return error
    raise AssertionError("a machine with an exabyte of memory")


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (MemoryError(), "oom", "out of memory: MemoryError"),
        (refused_by_numpy(), "oom", "Unable to allocate"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "oom", "Tried to allocate"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "oom", "can't allocate"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), "oom", "ALLOC_FAILED"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "oom", "out of memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "killed", "the disk is full"),
        (OSError(errno.EMFILE, "Too many open files"), "killed", "Too many open files"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "killed", "Broken pipe"),
        (caused(BenchError("the plug-in can't be imported"), OSError(errno.EIO, "")), "killed", "Input/output error"),
    ],
)  # fmt: skip
def test_a_mishap_of_the_machine_is_no_crash(error: Exception, status: str, words: str) -> None:
    found = mishap(error)
    assert found is not None
    assert found[0] == status
    assert words in found[1]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        PermissionError(errno.EACCES, "Permission denied"),
        ValueError("can't allocate a class"),
        OSError("no number at all"),
    ],
)
def test_a_fault_of_the_plug_in_is_a_crash(error: Exception) -> None:
    assert mishap(error) is None
