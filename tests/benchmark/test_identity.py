"""Names of results: equal things get equal names, on every machine, and different things different ones."""

from __future__ import annotations

import enum
import hashlib
import os
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from benchmark.identity import canonical, job_id, stream_seed

ROOT = Path(__file__).resolve().parents[2]


class Word(enum.StrEnum):
    A = "a"


def test_canonical_text() -> None:
    value = {"b": [1, 2.0, True, None], "a": {"z": "é", "y": (1e-07, 0.1)}}
    assert canonical(value) == '{"a":{"y":[1e-07,0.1],"z":"\\u00e9"},"b":[1,2.0,true,null]}'
    assert canonical(OrderedDict(reversed(value.items()))) == canonical(value)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), [-float("inf")]])
def test_canonical_refuses_what_is_not_finite(bad: object) -> None:
    with pytest.raises(ValueError, match="finite"):
        canonical(bad)


@pytest.mark.parametrize("bad", [{1: 2}, {"a": {None: 1}}, {1, 2}, b"x", Path("x"), Word.A, {"a": object()}])
def test_canonical_refuses_what_json_has_no_word_for(bad: object) -> None:
    with pytest.raises(TypeError, match="canonical form"):
        canonical(bad)


def test_job_id_is_the_sha256_of_the_canonical_text() -> None:
    assert job_id({"b": 1, "a": 2}) == hashlib.sha256(b'{"a":2,"b":1}').hexdigest()
    assert job_id({"amount": 1}) != job_id({"amount": 1.0})


def test_stream_seed() -> None:
    seeds = {stream_seed(0, "owner", "adi"), stream_seed(0, "thief", "adi"), stream_seed("0", "owner", "adi")}
    seeds |= {stream_seed(0, "owner", "ad", "i"), stream_seed(1, "owner", "adi")}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert stream_seed(0, "owner") == int(hashlib.sha256(b'[0,"owner"]').hexdigest()[:16], 16) >> 1


@pytest.mark.parametrize(
    "module", ["plugins.parameters", "plugins.registry", "plugins.selection", "planning.plan", "digest.code_digest"]
)
def test_nothing_heavy_is_imported(module: str) -> None:
    script = (
        f"import sys, pathlib, benchmark.{module}\n"
        "from benchmark.plugins.registry import Registry\n"
        "Registry.discover([])\n"
        "heavy = {'torch', 'numpy', 'rich', 'schemes', 'attacks', 'benchmark.contract'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
