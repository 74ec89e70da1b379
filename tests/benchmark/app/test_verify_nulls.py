"""Which nulls a court outside any run compares with, where the suspect is one of them. Records made up, no models."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from benchmark.app.verify import nulls
from benchmark.execution.run import Machine
from benchmark.planning.null_pools import null_jobs
from benchmark.planning.profile import Profile, load_profile
from benchmark.plugins.registry import Registry
from benchmark.store import artefacts
from leaderboard.judge.evidence import OWN_POOL
from leaderboard.stats.null_tests import SURROGATE_POOL

REGISTRY = Registry.discover()


def trained(results: Path) -> tuple[Profile, Machine, dict[str, list[str]]]:
    """The nulls of the quick profile's image track, as finished jobs with empty artefacts, by pool."""
    _, photos = load_profile("quick").tracks
    machine = Machine(results, "quick", 1, "cpu")
    pools, jobs = null_jobs(photos, REGISTRY)
    for job in jobs:
        machine.store.write({
            "schema": 1, "id": job.id, "kind": job.kind, "status": "ok", "reason": None, "parents": list(job.parents),
            "job": job.payload, "result": {"artefacts": {"service": f"sha {job.id}", "answers": "sha"}},
            "run": {},
        })  # fmt: skip
        path = machine.store.artefact_path(job.id, "service")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return photos, machine, pools


@pytest.mark.parametrize(
    ("suspect", "left_out", "sizes"),
    [(None, 0, (8, 8)), (("nulls", 2), 1, (7, 7)), (("surrogate_nulls", 2), 1, (7, 7))],
)
def test_a_suspect_and_its_lineage_are_no_nulls(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suspect: tuple[str, int] | None,
    left_out: int,
    sizes: tuple[int, int],
) -> None:
    photos, machine, pools = trained(tmp_path)
    monkeypatch.setattr(artefacts, "read_service", lambda path, id, digest: id)
    monkeypatch.setattr(artefacts, "read_answers", lambda path, id, digest: f"answers of {id}")
    digest = f"sha {pools[suspect[0]][suspect[1]]}" if suspect else "none of them"
    found, own = nulls.null_models(photos, REGISTRY, machine, Console(), digest)
    assert own == left_out
    assert (len(found[OWN_POOL]), len(found[SURROGATE_POOL])) == sizes
    kept = [index for index in range(8) if not suspect or index != suspect[1]]
    assert [one for one, _ in found[SURROGATE_POOL]] == [pools["surrogate_nulls"][index] for index in kept]
    assert all(answers == f"answers of {one}" for members in found.values() for one, answers in members)


def test_nulls_whose_files_are_damaged_are_made_again_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos, machine, _ = trained(tmp_path)
    retried: list[tuple[str, ...]] = []

    def read_service(path: Path, id: str, digest: str) -> str:
        if not retried:
            raise artefacts.DamagedArtefact(id, "its checksum differs")
        return id

    monkeypatch.setattr(artefacts, "read_service", read_service)
    monkeypatch.setattr(artefacts, "read_answers", lambda path, id, digest: f"answers of {id}")
    monkeypatch.setattr(nulls, "carry_out", lambda *plan, retry: retried.append(retry))
    found, _ = nulls.null_models(photos, REGISTRY, machine, Console(), "none of them")
    assert retried == [("damaged",)]
    assert len(found[OWN_POOL]) == 8
