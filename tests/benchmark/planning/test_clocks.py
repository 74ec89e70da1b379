"""What jobs are expected to take: counted work, measured rates, and what a store's own records say."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmark.digest.code_digest import engine_hash
from benchmark.identity import job_id
from benchmark.planning.clocks import measure_work, rates, work
from benchmark.planning.clocks.estimates import Estimates
from benchmark.planning.clocks.rates import GUESS, Hardware, Rates, TrainingRate, hardware, processor
from benchmark.planning.clocks.work import FORWARD, trained_images, work_table
from benchmark.planning.job import Job, ways
from benchmark.planning.profile import Profile, load_profile
from benchmark.plugins.registry import Registry
from benchmark.store.records import RecordStore

PUBLISHED = Path(__file__).parents[3] / "leaderboard" / "published"
QUICK, PAPER = load_profile("quick"), load_profile("paper-passport")
RATE = TrainingRate(2e6, 10_000.0)


def payload(kind: str, profile: Profile = QUICK, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "engine": engine_hash(), "world": profile.world(), **more}


def plugin(name: str, **parameters: Any) -> dict[str, Any]:
    return {"name": name, "parameters": parameters}


def on_labels(epochs: int) -> dict[str, Any]:
    """Fine-tuning as it was measured with the thief's own labels; the default buys labels for his other images."""
    return plugin("finetune", epochs=epochs, lr=0.01, mode="ftal")


def marked(name: str, profile: Profile = QUICK, **parameters: Any) -> dict[str, Any]:
    return payload("marked", profile, scheme=plugin(name, **parameters))


def attacked(
    *stages: Mapping[str, Any], labelled: int = 400, unlabelled: int = 0, pool: str = "disjoint"
) -> dict[str, Any]:
    thief = {"pool": pool, "labelled": labelled, "unlabelled": unlabelled}
    return payload("attacked", stages=list(stages), scheme=None, thief=thief)


def test_a_host_is_its_epochs_of_the_owners_images_and_the_courts_question() -> None:
    assert trained_images(payload("host")) == pytest.approx(10 * 1_000 + 397 / 3)
    assert trained_images(payload("twin")) == pytest.approx(2 * 10 * 1_000 + 397 / 3)
    assert trained_images(payload("null", PAPER)) == pytest.approx(200 * 45_000 + 10_000 / 3)


def test_work_grows_with_epochs_images_suspects_and_draws() -> None:
    answers = FORWARD * 397
    board, paper = (trained_images(marked("passport", profile, epochs=0)) for profile in (QUICK, PAPER))
    assert (paper - FORWARD * 10_000) / (board - answers) == pytest.approx(200 * 45_000 / (10 * 1_000))
    few, many, half = (
        trained_images(attacked(on_labels(epochs), labelled=labelled, unlabelled=100)) - answers
        for epochs, labelled in ((5, 400), (20, 400), (20, 200))
    )
    assert (many / few, many / half) == (pytest.approx(4), pytest.approx(2))
    assert 0.7 < many / (20 * 400) < 1.3  # to train on an image is to train on an image
    asked = [trained_images(attacked(plugin("extract"), labelled=30, unlabelled=more)) - answers for more in (70, 370)]
    assert asked[1] / asked[0] == pytest.approx(4)  # extraction pays no labels
    older = payload("attacked", stages=[on_labels(20)], scheme=None,
                    thief={"pool": "owner", "share": 1.0})  # fmt: skip
    assert (trained_images(older) - answers) / many == pytest.approx(1_000 / 400)
    steps = [trained_images(attacked(plugin("forged-head", steps=steps))) - answers for steps in (100, 300)]
    assert steps[1] / steps[0] == pytest.approx(3)
    judged = [trained_images(payload("judged", scheme=plugin("adi"), suspects=["x"] * count)) for count in (1, 16)]
    drawn = [trained_images(payload("drawn", scheme=plugin("adi"), suspects=["x"], draws=draws)) for draws in (1, 7)]
    assert (judged[1] / judged[0], drawn[1] / drawn[0]) == (pytest.approx(16), pytest.approx(7))


def test_the_stages_of_a_chain_add_up() -> None:
    one, other = plugin("finetune", epochs=3), plugin("distill", epochs=9, architecture="house")
    alone = sum(trained_images(attacked(stage)) - FORWARD * 397 for stage in (one, other))
    assert trained_images(attacked(one, other)) == pytest.approx(alone + FORWARD * 397)


def test_what_was_measured_is_there_and_another_plug_in_is_expected_to_train() -> None:
    """A new attack is one file: until it is measured with the others, it counts as one of somebody else's."""
    registry, measured = Registry.discover(), {(one.kind, one.plugin) for one in work_table().work}
    attacks = {("attacked", one.name) for one in registry.attacks}
    schemes = {(kind, one.name) for one in registry.schemes for kind in ("marked", "judged", "drawn")}
    assert measured <= attacks | schemes
    assert {("attacked", "finetune"), ("marked", "adi"), ("judged", "adi"), ("drawn", "adi")} <= measured
    assert trained_images(marked("mine", epochs=7)) == pytest.approx(1.5 * 7 * 1_000 + FORWARD * 397)
    for parameters in ({"scale": 0.1}, {"epochs": "many"}):
        assert trained_images(attacked(plugin("mine", **parameters))) == pytest.approx(400 + FORWARD * 397)


def test_the_nearest_measured_setting_counts() -> None:
    house, other = (plugin("distill", architecture=one, epochs=40) for one in ("house", "resnet8"))
    assert trained_images(attacked(other)) > 1.5 * trained_images(attacked(house))


# -- what the store's own records say --------------------------------------------------------------------------------


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The nets that were probed, in place of probes; nothing is remembered yet."""
    seen: list[str] = []

    def probe(worlds: list[dict[str, Any]], device: str) -> list[TrainingRate]:
        seen.extend(world["architecture"] for world in worlds)
        return [RATE] * len(worlds)

    monkeypatch.setattr(rates, "_probed", probe)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return seen


def write(store: RecordStore, job: dict[str, Any], seconds: float, status: Any = "ok", **run: Any) -> None:
    run = {"seconds": seconds, "device": "cpu", "hardware": processor(), **run}
    reason = None if status == "ok" else "it took too long"
    store.write({
        "schema": 1, "identity": 3, "id": job_id(job), "kind": job["kind"], "status": status, "reason": reason,
        "job": job, "parents": [], "result": {}, "run": run,
    })  # fmt: skip


def test_records_of_the_same_work_on_this_hardware_win(tmp_path: Path, probed: list[str]) -> None:
    store = RecordStore(tmp_path)
    null, slow, other = (
        payload("null"),
        payload("null", load_profile("quick").with_options(task="mnist")),
        payload("host"),
    )
    for index, seconds in enumerate((3.0, 5.0, 40.0)):
        write(store, null | {"index": index}, seconds)
    write(store, null | {"index": 4}, 1e6, hardware="a faster one")
    write(store, null | {"index": 5, "engine": "of another version"}, 1e6)
    write(store, null | {"index": 6}, 1e6, status="timeout")
    damaged = store.root / "records" / "00" / "00.json"
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_text("{")
    estimates = Estimates(QUICK, store, "cpu")
    found = estimates.of(null | {"index": 7})
    assert (found.seconds, found.records, probed) == (5.0, 3, [])
    assert estimates.basis([found, found]) == "from what 3 such jobs took here"
    counted = estimates.of(other)
    assert (counted.records, probed) == (0, ["convnet", "unet"])
    assert counted.seconds == pytest.approx(work_table().seconds + (10_000 + FORWARD * 397) / 10_000)
    assert estimates.of(slow).records == 0
    assert estimates.basis([found, counted, found]) == (
        "2 jobs from what 3 such jobs took here, 1 from counted operations at 20 G (convnet) "
        f"multiply-adds/s on {processor()}, where no other program runs"
    )
    assert estimates.basis([]) == ""


def test_a_device_is_probed_once(probed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    worlds = [track.world() for track in QUICK.tracks]
    assert Rates(worlds, "cpu").of(worlds[1]) == RATE
    assert Rates(worlds, "auto").of({**worlds[0], "architecture": "resnet8"}) == RATE
    assert probed == ["convnet", "unet"]
    wide = {**worlds[0], "architecture": "convnet(width=64)"}
    assert Rates([*worlds, wide], "cpu").of(wide) == RATE
    assert probed == ["convnet", "unet", "convnet(width=64)"]
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "another")
    assert Rates([wide], "cpu").of(wide) == RATE
    assert len(probed) == 4


def test_the_hardware_is_known_without_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rates, "_GPUS", tmp_path)
    monkeypatch.setattr(rates, "_FIRST_GPU", tmp_path / "none")
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "2.14.1")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    here = Hardware("cpu", processor())
    assert hardware("auto") == here
    (tmp_path / "0000:19:00.0").mkdir()
    (tmp_path / "0000:19:00.0" / "information").write_text("Model: \t\t NVIDIA H200\nIRQ:   \t\t 301\n")
    assert [hardware(wanted) for wanted in ("auto", "cuda", "cpu")] == [*[Hardware("cuda", "NVIDIA H200")] * 2, here]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert hardware("auto") == here


def test_a_probe_that_fails_stops_nothing_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(rates, "_PROBE", "raise SystemExit('no such device')")
    found = Rates([QUICK.world()], "cpu")
    assert found.of(QUICK.world()) == GUESS
    assert found.said() == "a guess of 5,000 trained images/s, for this device could not be probed"
    assert not list(tmp_path.rglob("*.json"))


def test_a_real_probe_counts_as_a_job_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = Rates([QUICK.world()], "cpu").of(QUICK.world())
    assert found.operations == 17_768_448_000 / 9_600  # of a null of the published quick board, for 9,600 images
    assert 100 < found.images_per_second < 1e6
    (kept,) = tmp_path.rglob("*.json")
    assert json.loads(kept.read_text())["operations"] == found.operations


# -- where the measured work comes from ------------------------------------------------------------------------------


def test_work_is_measured_from_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, source = tmp_path / "work.json", PUBLISHED / "reproduce-rose-small" / "records.jsonl.gz"
    monkeypatch.setattr(measure_work, "MEASURED", target)
    monkeypatch.setattr("sys.argv", ["measure_work", str(source)])
    measure_work.main()
    monkeypatch.setattr(work, "MEASURED", target)
    made = work.work_table.__wrapped__()
    assert made.made.endswith("reproduce-rose-small/records.jsonl.gz")
    assert 0 < made.seconds < 0.5
    by_key = {(one.kind, one.plugin, str(one.parameters)): one for one in made.work}
    rose = by_key["marked", "rose", "{'s': 64}"]
    assert (rose.per, rose.images) == ("image", pytest.approx(1.1, abs=0.3))
    assert {one.per for one in made.work if one.kind == "judged"} == {"suspect"}


def test_the_way_of_a_job_is_its_longest_chain_to_the_end() -> None:
    def job(id: str, seconds: float, *parents: str) -> Job:
        return Job(id, "host", "owner", id, {}, parents, seconds=seconds)

    jobs = [job("a", 1.0), job("b", 2.0, "a", "finished"), job("c", 9.0, "a"), job("d", 8.0, "b")]
    assert ways(jobs) == {"a": 11.0, "b": 10.0, "c": 9.0, "d": 8.0}
