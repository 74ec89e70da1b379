"""The limits of what is read from outside: each kind of file that hung, filled memory or crashed is one sentence."""

from __future__ import annotations

import gzip
import json
import os
import socket
import time
from pathlib import Path

import pytest

from benchmark.errors import BenchError
from benchmark.files import content, json_value, lines, plain, read_json, table_rows, tensor_header, toml_table
from benchmark.identity import content_hash


def test_json_files_are_read_plain_or_compressed(tmp_path: Path) -> None:
    (tmp_path / "plain.json").write_text('{"a": 1}')
    (tmp_path / "packed.json.gz").write_bytes(gzip.compress(json.dumps({"a": 1}).encode()))
    assert read_json(tmp_path / "plain.json", "") == read_json(tmp_path / "packed.json.gz", "") == {"a": 1}


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.json", b"{", "is not valid JSON"),
        ("a.json", b"\xff", "is not valid JSON (it is not UTF-8: invalid start byte at byte 0)"),
        ("a.json", b"[" * 100_000, "is not valid JSON"),
        ("a.json.gz", b"{}", "is not valid JSON (its compressed content is damaged"),
        ("a.json.gz", gzip.compress(b"{}", mtime=0)[:-4], "is not valid JSON (its compressed content is damaged"),
        ("a.json", None, "can't be read (No such file or directory)"),
    ],
)
def test_a_file_that_is_no_json_is_one_sentence(tmp_path: Path, name: str, data: bytes | None, sentence: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(BenchError) as error:
        read_json(tmp_path / name, "give another")
    assert str(error.value).startswith(f"{tmp_path / name} {sentence}")
    assert str(error.value).endswith(": give another")


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "device"])
def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        monkeypatch.chdir(tmp_path)  # a socket's path is short
        socket.socket(socket.AF_UNIX).bind("x")
    begun = time.monotonic()
    with pytest.raises(BenchError, match="can't be read"):
        read_json(path, "give a file")
    if kind != "folder":
        with pytest.raises(OSError, match=r"no regular file|No such device"):
            content_hash(path)
    assert time.monotonic() - begun < 1


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(b" " * 10**6))
    with pytest.raises(ValueError, match="larger than 97 KiB"):
        content(path, 10**5)
    with pytest.raises(ValueError, match="a line is larger than 97 KiB"):
        list(lines(path, longest=10**5))
    path.write_bytes(gzip.compress(b"{}\n" * 350_000))
    with pytest.raises(ValueError, match="larger than 976 KiB"):
        list(lines(path, 10**6 - 1))


def test_a_table_is_read_a_line_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b'a,b\n1,"x, ""y"""\n\n\xc3\xa9,\n'))
    assert list(table_rows(path, ["b"])) == [{"a": "1", "b": 'x, "y"'}, {"a": "é", "b": ""}]
    path.write_bytes(gzip.compress(b""))
    assert list(table_rows(path, ["b"])) == []


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"a,b\n1\n", "line 2 has 1 fields, and its first line 2"),
        (b"a,b\n1,2,3\n", "line 2 has 3 fields"),
        (b"a\n1\n", "no column b"),
        (b"\xff\xfe", "line 1 is no line of a table"),
        (b'a,b\n"1,2\n', "line 2 is no line of a table"),
        (b"a,b\n" + b"x" * 140_000 + b",\n", "field larger than field limit"),
        (b"a,b\n" + b"x," * 2**20, "a line is larger than 1024 KiB"),
        (b"a,b\n" * 400_001, "more than 400,000 lines"),
    ],
    ids=range(8),
)
def test_a_table_that_no_page_needs_is_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(ValueError, match=sentence):
        list(table_rows(tmp_path / "a.csv", ["b"]))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("NaN", "not finite"),
        ("[1e999]", "not finite"),
        ('{"a": -Infinity}', "not finite"),
        ("9" * 30, "more than 64 bits"),
        ("9" * 5000, "digits"),
        ('{"a": {"b": 1, "b": 2}}', "twice"),
        ('["\\ud800"]', "half a character"),
        ("[" * 34 + "]" * 34, "nested more than 32 deep"),
        ("[" * 3000 + "]" * 3000, "nested more than 32 deep"),
        ("[" + "0," * 2**22 + "0]", "more than 4194304 values"),
    ],
)
def test_json_that_no_file_needs_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        json_value(text.encode())


def test_how_many_values_a_document_may_hold_follows_from_its_size() -> None:
    text = ("[" + "0," * 10 + "0]").encode()
    assert json_value(text, 16 * 11) == [0] * 11
    with pytest.raises(ValueError, match="more than 10 values"):
        json_value(text, 16 * 10)


def test_what_files_need_is_let_pass() -> None:
    whole = {"a": [1, -1.5, True, None, "é \U0001f512"], "b": {"a": -(2**62)}}
    assert json_value(json.dumps(whole).encode()) == whole
    assert json_value(b"\xef\xbb\xbf[]") == []  # as some editors begin a file
    deep = json.loads("[" * 33 + "]" * 33)
    assert plain(deep) == deep


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = nan", "not finite"),
        ("a = 0x" + "f" * 50, "more than 64 bits"),
        ("a = 1979-05-27", "holds a date"),
        (".".join("a" * 3000) + " = 1", "more than 100 dots"),
        ("a = " + "[" * 2000 + "]" * 2000, "nested"),
        ("a = 1\na = 2", "overwrite"),
    ],
)
def test_toml_that_no_file_needs_is_refused(text: str, sentence: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ValueError, match=sentence):
        toml_table(text.encode())
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("data", [b"", b"\xff" * 8, (2**40).to_bytes(8, "little") + b"{}", b"\2" + bytes(7) + b"[]"])
def test_a_header_of_tensors_lies_in_its_file(data: bytes) -> None:
    with pytest.raises(ValueError, match="header"):
        tensor_header(data)


def test_a_spec_is_not_built_larger_than_its_tensors() -> None:
    """A file that claimed 10^9 blocks ran for minutes."""
    from benchmark.architectures.net import Net, build

    task = {"classes": 10, "mean": [0.5], "std": [0.25]}
    small = Net.of(build({"builder": "residual", "channels": 1, "width": 4, "blocks": 2}))
    assert small.module().state_dict().keys() == small.state.keys()
    for spec in (
        {**small.spec, "blocks": 10**9},
        {**small.spec, "width": 10**6},
        {"builder": "plain", "channels": 1, "layers": 10**9},
        {"builder": "wide-resnet", "depth": 6 * 10**8 + 4, **task},
        {"builder": "resnet18", "width": 10**5, **task},
    ):
        begun = time.monotonic()
        with pytest.raises((ValueError, RuntimeError)):
            Net(spec, small.state).module()
        assert time.monotonic() - begun < 2
