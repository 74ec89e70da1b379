"""An owner's folder, as `bench embed` leaves it, made from the lab's models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench import bench_here
from lab import Exhibit, Lab

from schemes.adi import Adi

from .suspect_forms import written

SETTING = "adi(n=40,k=16,epochs=8)"
Verify = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def marked(lab: Lab) -> Exhibit:
    return lab.embed(Adi(n=40, k=16, epochs=8))


@pytest.fixture
def owner(lab: Lab, marked: Exhibit, tmp_path: Path) -> Path:
    return written(tmp_path / "owner", SETTING, marked.service, marked.key, lab.context)


@pytest.fixture
def verify(owner: Path) -> Verify:
    """The verdict of `bench verify --json` with the owner's key."""

    def verdict(*words: str) -> dict[str, Any]:
        code, output, error = bench_here("verify", "--key", str(owner), "--device", "cpu", "--json", *words)
        assert code == 0, error
        seen: dict[str, Any] = json.loads(output)
        return seen

    return verdict


@pytest.fixture
def refused(owner: Path) -> Callable[..., str]:
    """The one sentence with which a command with the owner's key ends."""

    def sentence(*words: str, command: str = "verify") -> str:
        code, _, error = bench_here(command, "--key", str(owner), "--device", "cpu", *words)
        assert code == 2
        assert "\n" not in error
        return error

    return sentence
