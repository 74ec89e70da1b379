"""How what a replay sees compares with what was recorded, also by a version that recorded less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TOLERANCE = 0.01  # share of the items of a string of outcomes that may differ (at least one); relative, for scores
_FURTHER = {"more", "reached", "most"}  # what a law says of keys that were drawn after the first


@dataclass(frozen=True)
class Check:
    """One thing that was made anew: how it compares with the record, and in how many items it differs."""

    what: str
    outcome: str
    detail: str


def as_recorded(recorded: Mapping[str, Any], seen: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The observation `seen` as the version would have made it that recorded fewer, and what it would not have seen.

    Fewer channels, so fewer views of the suspect, and of redrawn keys fewer than are drawn today.
    """
    if recorded["unreadable"] is not None or seen["unreadable"] is not None:
        return seen, []
    more = [f"the channel {name}" for name in seen["channels"] if name not in recorded["channels"]]
    channels = {name: dict(one) for name, one in seen["channels"].items() if name in recorded["channels"]}
    for name, one in channels.items():
        law, then = one.get("law", {}), recorded["channels"][name].get("law", {})
        if law.get("kind") == then.get("kind") == "redrawn" and then.keys().isdisjoint(_FURTHER):
            more += [f"further keys of the channel {name}"] * bool(_FURTHER & law.keys())
            one["law"] = {field: value for field, value in law.items() if field not in _FURTHER}
    views = [view for view in seen.get("views", ()) if view in recorded.get("views", ())]
    rest = {field: value for field, value in seen.items() if field != "views"}
    return rest | {"channels": channels} | ({"views": views} if views else {}), more


def same(what: str, recorded: object, seen: object) -> Check:
    """Compare what knows no tolerance."""
    return Check(what, "equal", "") if recorded == seen else Check(what, "different", f"{recorded} became {seen}")


def observation(whose: str, recorded: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Check]:
    """Compare what was seen of one suspect: why it is unreadable, or each of its channels and gates."""
    if recorded["unreadable"] is not None or seen["unreadable"] is not None:
        yield same(f"what makes {whose} unreadable", recorded["unreadable"], seen["unreadable"])
        return
    for part in ("channels", "gates"):
        for name in sorted({*recorded[part], *seen[part]}):
            what = f"{part.removesuffix('s')} {name} of {whose}"
            yield compared(what, recorded[part].get(name, {}), seen[part].get(name, {}))


def compared(what: str, recorded: Mapping[str, Any], seen: Mapping[str, Any]) -> Check:
    """Compare channels, gates or outcomes: strings item by item, scores by their differences."""
    differing = [name for name in sorted({*recorded, *seen}) if recorded.get(name) != seen.get(name)]
    found = [(name, *_close(recorded.get(name), seen.get(name))) for name in differing]
    close = "within tolerance" if found else "equal"
    detail = "; ".join(f"{name}: {difference}" for name, _, difference in found)
    return Check(what, close if all(near for _, near, _ in found) else "different", detail)


def _close(old: Any, new: Any) -> tuple[bool, str]:
    """Whether two values of one field differ by no more than TOLERANCE, and how they differ."""
    if type(old) is not type(new):
        return False, "it is there only once"
    if not isinstance(old, str | list):
        return False, "it is another null distribution"
    items = "items" if isinstance(old, str) else "scores"
    if len(old) != len(new):
        return False, f"{len(old)} {items} became {len(new)}"
    if isinstance(old, str):
        differ = sum(a != b for a, b in zip(old, new, strict=True))
        return differ <= max(1, TOLERANCE * len(old)), f"{differ} of {len(old)} items differ"
    scale = max((abs(value) for value in old), default=0.0) or 1.0
    gap = max((abs(a - b) for a, b in zip(old, new, strict=True)), default=0.0)
    return gap <= TOLERANCE * scale, f"scores differ by up to {gap:.3g}"
