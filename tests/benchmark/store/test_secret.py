"""The secret of a store: drawn once, for its owner's eyes, and never exchanged."""

import os
import stat
from pathlib import Path

import pytest

from benchmark.app.run_secret import run_secret
from benchmark.errors import BenchError
from benchmark.store.secret import known_secret, read_secret, secret_path, store_secret

GIVEN = bytes(range(32))


def test_it_is_drawn_once(tmp_path: Path) -> None:
    assert known_secret(tmp_path) is None
    first = store_secret(tmp_path)
    assert store_secret(tmp_path) == known_secret(tmp_path) == read_secret(secret_path(tmp_path)) == first
    assert len(first) == 32
    assert first != store_secret(tmp_path / "other")


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    store_secret(tmp_path)
    path = secret_path(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["secret"]


def test_a_plan_writes_none(tmp_path: Path) -> None:
    assert run_secret(tmp_path, keep=False) != run_secret(tmp_path, keep=False)
    assert not secret_path(tmp_path).exists()


def test_a_run_keeps_the_one_it_draws(tmp_path: Path) -> None:
    assert run_secret(tmp_path) == run_secret(tmp_path) == run_secret(tmp_path, keep=False) == known_secret(tmp_path)


def test_the_one_given_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "secret.txt"
    file.write_text(GIVEN.hex())
    assert run_secret(tmp_path, str(file)) == GIVEN == store_secret(tmp_path, GIVEN) == run_secret(tmp_path)


def test_a_store_keeps_its_own(tmp_path: Path) -> None:
    store_secret(tmp_path)
    file = tmp_path / "secret.txt"
    file.write_text(GIVEN.hex())
    with pytest.raises(BenchError, match="has a secret of its own: choose another --results"):
        run_secret(tmp_path, str(file))
    with pytest.raises(BenchError, match="run the same command again"):
        store_secret(tmp_path, GIVEN)


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff\xfe", b"0" * 63, b"0" * 66], ids=str)
def test_what_is_no_secret_is_said_so(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret.txt"
    file.write_bytes(content)
    with pytest.raises(BenchError, match="64 hexadecimal digits"):
        run_secret(tmp_path, str(file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="No such file"):
        run_secret(tmp_path, str(tmp_path / "none"))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BenchError, match="It is no regular file"):
        run_secret(tmp_path, str(tmp_path / "pipe"))


def test_a_board_from_before_names_the_version_that_made_it(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"install watermark-bench \d+\.\d+\.\d+"):
        run_secret(tmp_path, "published:denoise")
    with pytest.raises(BenchError, match="no published board is called 'quik': did you mean quick"):
        run_secret(tmp_path, "published:quik")
