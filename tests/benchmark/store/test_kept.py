"""What a process keeps at hand: the last used, within bounds, and nothing that a job can change for the next."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmark.protocol.answers import Answers
from benchmark.store import artefacts
from benchmark.store.kept import Kept


def test_what_was_used_last_stays_within_the_bound() -> None:
    kept: Kept[str] = Kept(6, len)
    made: list[str] = []

    def take(*values: str) -> None:
        for value in values:
            assert kept.get(value[0], lambda value=value: made.append(value) or value) == value  # type: ignore[misc,func-returns-value]

    take("aaa", "bb", "aaa", "c")
    assert made == ["aaa", "bb", "c"]
    take("dd")  # takes the place of bb, which waited longest
    take("aaa", "c", "dd", "bb")
    assert made == ["aaa", "bb", "c", "dd", "bb"]


def test_what_is_larger_than_the_bound_drives_nothing_out() -> None:
    kept: Kept[str] = Kept(3, len)
    kept.get("small", lambda: "abc")
    assert kept.get("large", lambda: "large") == "large"
    assert kept.get("large", lambda: "other") == "other"
    assert kept.get("small", lambda: "gone") == "abc"


def test_an_artefact_is_read_once_and_comes_in_tensors_of_its_own(tmp_path: Path) -> None:
    path, outputs = tmp_path / "answers", torch.randn(5, 10)
    digest = artefacts.write(path, "job", Answers(outputs))
    first = artefacts.read_answers(path, "job", digest)
    first.outputs.zero_()
    path.unlink()
    assert torch.equal(artefacts.read_answers(path, "job", digest).outputs, outputs)
    with pytest.raises(artefacts.DamagedArtefact, match="belongs to another job"):
        artefacts.read_answers(path, "another", digest)


def test_files_are_kept_within_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefacts, "_kept", Kept(1000, len))
    path = tmp_path / "answers"
    digest = artefacts.write(path, "job", Answers(torch.randn(100, 10)))
    artefacts.read_answers(path, "job", digest)
    path.unlink()
    with pytest.raises(artefacts.DamagedArtefact, match="can't be read"):
        artefacts.read_answers(path, "job", digest)
