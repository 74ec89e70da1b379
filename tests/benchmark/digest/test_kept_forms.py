"""Normal forms that are kept: what the next process finds is what it would work out."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.digest import kept_forms
from benchmark.digest.kept_forms import keep, kept_form
from benchmark.digest.normal_form import NormalForm, normal_form

ROOT = Path(__file__).resolve().parents[3]
SOURCES = [path.read_bytes() for path in sorted((ROOT / "schemes").rglob("*.py"))]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where forms are kept; of this process's own none are known."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(kept_forms, "_worked_out", {})
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def forgetful() -> None:
    kept_forms._kept.cache_clear()


def next_process() -> None:
    keep()
    kept_forms._kept.cache_clear()


def nothing(source: bytes) -> NormalForm:
    raise AssertionError(f"worked out again: {source[:80]!r}")


@pytest.mark.usefixtures("cache")
def test_the_next_process_works_out_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [kept_form(source) for source in SOURCES]
    next_process()
    monkeypatch.setattr(kept_forms, "normal_form", nothing)
    assert [kept_form(source) for source in SOURCES] == found == [normal_form(source) for source in SOURCES]
    with pytest.raises(AssertionError, match="worked out again"):
        kept_form(b"x = 1\n")


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"x": null}', '{"x": ["body", 3, {}]}', '{"x": ["", [["a"]], {}]}'])
def test_a_spoilt_file_counts_for_nothing_and_is_replaced(cache: Path, spoilt: str) -> None:
    kept_form(b"x = 1\n")
    keep()
    (path,) = cache.rglob("*.json")
    path.write_text(spoilt)
    kept_forms._kept.cache_clear()
    assert kept_form(b"x = 2\n") == normal_form(b"x = 2\n")
    next_process()
    assert path.read_text() != spoilt
    assert len(kept_forms._kept()) == 1


def test_a_cache_that_can_t_be_written_is_no_fault(cache: Path) -> None:
    cache.write_text("a file where a folder belongs")
    assert kept_form(b"x = 1\n") == normal_form(b"x = 1\n")
    next_process()
    assert kept_forms._kept() == {}


@pytest.mark.usefixtures("cache")
def test_it_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_forms, "_MOST", 2)
    for number in range(3):
        kept_form(f"x = {number}\n".encode())
        next_process()
    assert len(kept_forms._kept()) <= 2
