"""Watermark schemes against attacks, as jobs whose records `leaderboard` judges. The version is said here alone.

`import benchmark as wb` offers `wb.run`, `wb.embed`, `wb.attack`, `wb.ask`, `wb.verify`, `wb.advise`, `wb.audit` and
`wb.frame`: see docs/api.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.11.0"
_GUIDANCE = "benchmark.app.api.guidance"
_ELSEWHERE = {"advise": _GUIDANCE, "audit": _GUIDANCE, "frame": "leaderboard"}
__all__ = ["advise", "ask", "attack", "audit", "embed", "frame", "run", "verify"]

if TYPE_CHECKING:
    from benchmark.app.api.functions import ask, attack, embed, run, verify
    from benchmark.app.api.guidance import advise, audit
    from leaderboard import frame


def __getattr__(name: str) -> Any:
    """The functions of `__all__`, imported when they are asked for: a command that only lists needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_ELSEWHERE.get(name, "benchmark.app.api.functions")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
