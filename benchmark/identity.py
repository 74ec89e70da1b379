"""What a result's name is made of: canonical JSON and its SHA-256; and the seeds of random streams, made alike.

The code in a name is digested by `benchmark.digest.code_digest`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

from benchmark.files import sha256_of


def canonical(obj: object) -> str:
    """One text for one value: sorted keys, no spaces, ASCII, floats by `repr`; a tuple reads as a list.

    Raises ValueError for NaN and infinities, TypeError for everything JSON has no word for (subclasses of
    the JSON types too, so that a NumPy number never decides a name).
    """
    return json.dumps(_plain(obj), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(obj: object) -> object:
    if obj is None or type(obj) in (bool, int, str):
        return obj
    if type(obj) is float:
        if not math.isfinite(obj):
            raise ValueError(f"{obj!r} has no canonical form: only finite numbers do")
        return obj
    if isinstance(obj, list | tuple):
        return [_plain(item) for item in obj]
    if isinstance(obj, Mapping):
        if stray := [key for key in obj if type(key) is not str]:
            raise TypeError(f"the key {stray[0]!r} has no canonical form: only strings do")
        return {key: _plain(value) for key, value in obj.items()}
    raise TypeError(f"a {type(obj).__name__} has no canonical form: {obj!r}")


def job_id(payload: Mapping[str, object]) -> str:
    """The name of a job: SHA-256 over its canonical payload, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(payload).encode()).hexdigest()


def stream_seed(*parts: object) -> int:
    """A seed in [0, 2^63) for the random stream that `parts` name, such as (replicate, role, name, task)."""
    digest = hashlib.sha256(canonical(list(parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def content_hash(path: Path) -> str:
    """SHA-256 over a file's bytes, or over the relative names and bytes of all files in a folder; 64 digits.

    Raises OSError when there is neither at `path`, or it can't be read; a pipe or a device is not waited for.
    """
    if not path.is_dir():
        return sha256_of(path)
    inside = sorted(one for one in path.rglob("*") if one.is_file())
    return hashlib.sha256(
        canonical([[one.relative_to(path).as_posix(), content_hash(one)] for one in inside]).encode()
    ).hexdigest()
