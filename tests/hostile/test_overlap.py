"""A thief who was given images of the key among his own: extraction `survived`, and nothing said why."""

from __future__ import annotations

from pathlib import Path

from bench import records
from hostile_runs import copied, run


def test_key_images_in_the_thiefs_pool_are_counted_and_printed(base: Path, tmp_path: Path) -> None:
    """RoSe's key is made of the owner's images, so `--thief-pool owner` hands nine tenths of it to the thief."""
    results = copied(base, tmp_path)
    run(results, "prune(amount=0.3)", schemes="rose(s=40,epochs=6)", options=("--thief-pool", "owner"))
    counted = [one["result"]["overlap"] for one in records(results).values() if "overlap" in one["result"]]
    held = {one["held"] for one in counted if one["of"] == 40}
    assert len(held) == 1
    assert 30 <= min(held) <= 40
    assert f"{min(held)} of 40" in (results / "small" / "leaderboard.md").read_text()
