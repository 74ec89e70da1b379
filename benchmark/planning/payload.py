"""A job's payload, put together from parts that many jobs share: each is checked and written as JSON once.

A plan of 100,000 cells names as many jobs, and what is long in a payload (how nets are trained, a plug-in's parameters)
is the same in thousands of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Any

from benchmark.files import json_value
from benchmark.identity import canonical

_TEXT = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class SharedPart:
    """A value that stands in many payloads, and its canonical JSON."""

    value: Any
    text: str

    @classmethod
    def of(cls, value: Any) -> SharedPart:
        """Raises ValueError where no record can hold the value, TypeError where JSON can't."""
        text = canonical(value)
        json_value(f'{{"part":{text}}}'.encode())
        return cls(value, text)


Parts = Mapping[str, "SharedPart | str | int | list[str] | None"]  # by the names of a payload, which are plain words


def payload_id(parts: Parts) -> str:
    """What `benchmark.identity.job_id` says of the payload that these are the parts of."""
    texts = [f'"{name}":{_written(part)}' for name, part in sorted(parts.items())]
    return hashlib.sha256(f"{{{','.join(texts)}}}".encode()).hexdigest()


def _written(part: SharedPart | str | int | list[str] | None) -> str:
    if type(part) is SharedPart:
        return part.text
    return encode_basestring_ascii(part) if type(part) is str else _TEXT(part)


def payload(parts: Parts) -> dict[str, Any]:
    """The payload itself. What is shared must not be changed."""
    return {name: part.value if type(part) is SharedPart else part for name, part in parts.items()}
