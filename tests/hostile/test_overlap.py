"""A thief who was given images of the key among his own: extraction `survived`, and nothing said why."""

from __future__ import annotations

from pathlib import Path

from bench import copied, records
from hostile_runs import run


def test_key_images_in_the_thiefs_pool_are_counted_and_printed(base: Path, tmp_path: Path) -> None:
    """RoSe's key is made of the owner's images, so `--thief-pool owner` hands nine tenths of it to the thief."""
    results = copied(base, tmp_path)
    run(results, "prune(amount=0.3)", schemes="rose(s=40,epochs=6)", options=("--thief-pool", "owner"))
    rose = [one for one in records(results).values() if (one["job"].get("scheme") or {}).get("name") == "rose"]
    held = {one["result"]["overlap"]["held"] for one in rose if "overlap" in one["result"]}
    assert len(held) == 1
    assert 30 <= min(held) <= 40
    assert f"{min(held)} of 40" in (results / "small" / "schemes" / "rose.md").read_text()
