"""Normal forms, kept in the user's cache from one process to the next: to work out a hundred takes half a second.

A form is kept by the content it is of, and in a file by the code that worked it out, so nothing in there grows old.
"""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from benchmark.digest import normal_form as reader
from benchmark.digest.normal_form import Import, NormalForm, normal_form
from benchmark.files import content, json_value, user_cache, write_whole

_MOST = 1_000  # forms; those of files that were edited since go with the rest
_CODE = hashlib.sha256(Path(reader.__file__).read_bytes()).hexdigest()[:16]  # as this process runs it
_worked_out: dict[str, NormalForm] = {}  # in this process


def kept_form(source: bytes) -> NormalForm:
    """The normal form of a file's content, as it was kept or worked out now. Raises SyntaxError."""
    name = hashlib.sha256(source).hexdigest()
    if (kept := _kept().get(name)) is not None:
        return kept
    return _worked_out.setdefault(name, normal_form(source))


def keep() -> None:
    """Keep what this process worked out since. Where the cache can't be written, the next one does so again."""
    if not _worked_out:
        return
    known = _kept()
    known.update(_worked_out)
    _worked_out.clear()
    forms = known if len(known) <= _MOST else {}
    table = {
        name: [form.body, form.imports, {one: sorted(taken) for one, taken in form.attributes.items()}]
        for name, form in forms.items()
    }
    with suppress(OSError):
        write_whole(_path(), json.dumps(table).encode(), lasting=False)


@cache
def _kept() -> dict[str, NormalForm]:
    try:
        return {
            name: NormalForm(body, tuple(map(Import._make, imports)), {one: frozenset(t) for one, t in taken.items()})
            for name, (body, imports, taken) in json_value(content(_path())).items()
        }
    except (OSError, ValueError, TypeError, AttributeError):  # none there yet, or one that something spoilt
        return {}


def _path() -> Path:
    return user_cache() / "forms" / f"{_CODE}-{sys.implementation.cache_tag}.json"
