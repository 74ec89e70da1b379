"""Small wrongs done to good files: values of another type, dropped, doubled, huge, deep, and bytes that flip."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

Spoil = Callable[[bytes, Random], bytes]


@dataclass(frozen=True)
class Reader:
    """What reads a folder of good files, one of which is spoilt each time, unless it says how by None."""

    read: Callable[[Path], object]
    files: dict[str, tuple[bytes, Spoil | None]]


# what JSON can say and a Python value can't: written into the text in place of its mark
_WRITTEN = [
    "NaN", "-Infinity", "1e999", "9" * 400, "9" * 5000, "[" * 60 + "]" * 60, "[" * 3000 + "]" * 3000, '"\\ud800"',
    '{"a": 1, "a": 2}', "{", "]", '"', "\x00", "01", "'x'", "1e-400", "-0",
]  # fmt: skip
_HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1, 2, 0.5, -1.5, 1e-300, 1e300, 10**9, -(10**9), 2**62, 2**64, 10**30, "", "x", "0", "01",
    "nan", "1" * 1000, "x" * 100_000, "\x1b[2J\x1b]0;owned\x07", "‮evil", "\x00", "../../../etc/passwd", "a\nb",
    "<script>", "{{7*7}}", "none", "adi", "ok", [], {}, [[]], [None], [0], [-1.0], ["x"], [{}], {"": None}, {"x": []},
    {"kind": "redrawn", "totals": [-5, 1e9]}, {"kind": "binomial", "p": 2}, {"kind": "poisson-binomial", "p": [1]},
    *(f"@{number}@" for number in range(len(_WRITTEN))),
]  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, name or number) below `value`."""
    named = list(value.items() if isinstance(value, dict) else enumerate(value))
    for name, inner in named:
        yield value, name
        if isinstance(inner, dict | list) and inner:
            yield from places(inner)


def json_like(text: bytes, rng: Random) -> bytes:
    """One to three wrongs at random places of a JSON document; now and then in its bytes."""
    if rng.random() < 0.1:
        return bytes_like(text, rng)
    value = json.loads(text)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if isinstance(value, dict | list) and value and rng.random() < 0.98:
            _spoil(*rng.choice(list(places(value))), rng)
        else:
            value = deepcopy(rng.choice(_HOSTILE))
    written = json.dumps(value, ensure_ascii=rng.random() < 0.9)
    return re.sub(r'"@(\d+)@"', lambda found: _WRITTEN[int(found[1]) % len(_WRITTEN)], written).encode(
        "utf-8", "surrogatepass"
    )


def _spoil(container: Any, name: Any, rng: Random) -> None:
    what = rng.randrange(8)
    if what < 4:
        container[name] = deepcopy(rng.choice(_HOSTILE))
    elif what == 4:
        del container[name]
    elif what == 5 and isinstance(container, list):
        container.insert(name, deepcopy(container[name]))
    elif what == 5:
        container[rng.choice(["x", "", name + "s", "é" * 50])] = deepcopy(container[name])
    elif what == 6:  # another value of the same table or list
        container[name] = deepcopy(rng.choice(list(container.values() if isinstance(container, dict) else container)))
    elif isinstance(old := container[name], str):
        at = rng.randrange(len(old) + 1)
        container[name] = old[:at] + rng.choice(["", "1", "\x1b", "é", "x"]) + old[at + rng.randrange(2) :]
    elif isinstance(old, int | float):
        container[name] = old * rng.choice([-1, 0, 1e3, 1e9, 0.1])


def line_like(text: bytes, rng: Random) -> bytes:
    """One of several lines of JSON spoilt."""
    lines = text.splitlines()
    at = rng.randrange(len(lines))
    lines[at] = json_like(lines[at], rng)
    return b"\n".join(lines)


_TOML = [
    "1", "-1", "0", "0.5", "nan", "inf", "1e999", '""', '"x"', "true", "[]", "{}", "[[1]]", "1979-05-27", "{a.b.c = 1}",
    "0x" + "f" * 99, "9" * 500, '"\\u001b[2J"', "[" * 40 + "]" * 40, "[" * 2000 + "]" * 2000, '"""a\nb"""', "[1, ''",
]  # fmt: skip
_TOML_LINES = ["[x]", "[[x]]", ".".join("a" * 90) + " = 1", ".".join("a" * 3000) + " = 1"]


def toml_like(text: bytes, rng: Random) -> bytes:
    """One to three lines of a TOML document dropped, doubled, moved or given another value; now and then its bytes."""
    if rng.random() < 0.2:
        return bytes_like(text, rng)
    lines = text.decode().split("\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        at, what = rng.randrange(len(lines)), rng.randrange(6)
        name = lines[at].partition("=")[0].strip() or "x"
        if what < 3:
            lines[at] = f"{name} = {rng.choice(_TOML)}"
        elif what == 3:
            del lines[at]
        else:
            lines.insert(at, rng.choice([lines[at], rng.choice(lines), *_TOML_LINES]))
        lines = lines or [""]
    return "\n".join(lines).encode()


_FIELDS = [
    "", "x", "0", "-1", "1", "2", "nan", "inf", "1e999", "9" * 5000, "x" * 140_000, '"', '""', '"a\nb"', "\x00", "é",
    "\r", ",", "," * 2000, "\x1b[2J", "=1+1", "True", "False", "removed", "survived", "\ud800",
]  # fmt: skip


def table_like(text: bytes, rng: Random) -> bytes:
    """One to three fields of a CSV file spoilt, or its lines dropped, doubled or moved; now and then its bytes."""
    if rng.random() < 0.2:
        return bytes_like(text, rng)
    lines = text.decode().split("\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        at, what = rng.randrange(len(lines)), rng.randrange(8)
        fields = lines[at].split(",")
        if what < 5:
            fields[rng.randrange(len(fields))] = rng.choice(_FIELDS)
            lines[at] = ",".join(fields)
        elif what == 5:
            del fields[rng.randrange(len(fields))]
            lines[at] = ",".join(fields)
        elif what == 6:
            lines.insert(at, rng.choice(lines))
        else:
            del lines[at]
        lines = lines or [""]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def packed_table_like(data: bytes, rng: Random) -> bytes:
    """A compressed CSV file, spoilt before or after it was packed."""
    if rng.random() < 0.3:
        return bytes_like(data, rng)
    return gzip.compress(table_like(gzip.decompress(data), rng), 1, mtime=0)


def bytes_like(data: bytes, rng: Random) -> bytes:
    """Bits flipped, bytes overwritten, a piece cut out, doubled or cut off."""
    spoilt = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 10))):
        at, end = sorted((rng.randrange(len(spoilt) + 1), rng.randrange(len(spoilt) + 1)))
        what = rng.randrange(5)
        if what < 2 and at < len(spoilt):
            spoilt[at] ^= 1 << rng.randrange(8)
        elif what == 2:
            spoilt[at : at + 8] = rng.choice([b"\x00", b"\xff"]) * 8
        elif what == 3:
            del spoilt[at:end]
        else:
            spoilt[at:at] = spoilt[at : min(end, at + 1000)]
    return bytes(spoilt)


def tensors_like(data: bytes, rng: Random) -> bytes:
    """A safetensors file whose header, the artefact described in it, or bytes are spoilt."""
    if rng.random() < 0.3:
        return bytes_like(data, rng)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    if rng.random() < 0.7:
        told = json_like(header["__metadata__"]["artefact"].encode(), rng)
        header["__metadata__"]["artefact"] = told.decode("utf-8", "replace")
        written = json.dumps(header).encode()
    else:
        written = json_like(data[8 : 8 + length], rng)
    size = rng.choice([0, 1, 2**40, 2**64 - 1]) if rng.random() < 0.05 else len(written)
    return size.to_bytes(8, "little") + written + data[8 + length :]
