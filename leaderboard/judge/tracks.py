"""The tracks of a run: tasks with their own data, nulls, unit of utility and budget. The main one comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmark.errors import BenchError
from benchmark.store.run_description import Track

__all__ = ["Track", "read_tracks", "track_of"]


def read_tracks(
    data: Sequence[Track],
    alpha: float | None = None,
    budget: float | None = None,
    like: Sequence[Track] = (),
    strict: bool | None = None,
) -> list[Track]:
    """The tracks of a run's description, read at other thresholds where they are given.

    budget: in points, for classification tracks; the others keep theirs. like: tracks of another run, whose thresholds
    are taken where task and unit are the same. strict: whether p_null counts beside an exact p_key. Raises BenchError
    where a threshold is out of range.
    """
    if alpha is not None and not 0 < alpha < 1:
        raise BenchError(f"alpha must lie between 0 and 1, not {alpha}: a usual value is 0.001")
    if budget is not None and not 0 < budget < 100:
        raise BenchError(f"the utility budget is in points, between 0 and 100, not {budget}: a usual value is 5")
    if not data:
        raise BenchError("this run has no task: run the benchmark again to rewrite it")
    others = {track.task: track for track in like}
    return [
        replace(track, **{name: getattr(others[track.task], name) for name in ("alpha", "budget", "strict")})
        if track.task in others and others[track.task].unit == track.unit
        else replace(
            track,
            alpha=track.alpha if alpha is None else alpha,
            budget=track.budget if budget is None or track.unit != "points" else budget,
            strict=track.strict if strict is None else strict,
        )
        for track in data
    ]


def track_of(tracks: Sequence[Track], scheme: Mapping[str, Any]) -> Track:
    """The track of a scheme; the main one for a scheme that has none in this profile."""
    return next((track for track in tracks if track.task == scheme["task"]), tracks[0])
