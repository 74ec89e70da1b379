"""Two thousand spoilt files a reader: each is an object or a BenchError, within a second and 200 MB."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fuzz import readers, wrongs

FEWER = {"judge": 700, "pages": 150}  # a page takes as long as hundreds of readings
NAMES = [
    "run.json", "run.json.gz", "profile", "claims", "manifest", "bundle", "card", "openings", "model", "key",
    "answers", "kept answers", "passport config", "prepared data", "matrix.csv", "verdicts", "outside",
    *(f"{what} {board}" for what in FEWER for board in ("reproduce-adi-small", "denoise", "calibrate")),
]  # fmt: skip


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict:
    found = readers(tmp_path_factory.mktemp("good"))
    assert {*found} == {*NAMES}
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_spoilt_file_is_read_or_refused_in_a_sentence(every: dict, tmp_path: Path, name: str) -> None:
    assert wrongs(name, every[name], FEWER.get(name.split()[0], 2000), 1, tmp_path) == []
