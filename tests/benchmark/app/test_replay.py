"""A bundle that was changed and sealed anew is held against its models; what it is called follows from its records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from bench import bench_here, edit, of_an_earlier_version, resealed


def set_hits(record: dict[str, Any], hits: str) -> None:
    record["result"]["observations"][0]["channels"]["triggers"]["hits"] = hits


def test_a_lie_in_a_sealed_record_comes_out_as_different(bundled: Path, tmp_path: Path) -> None:
    """Whoever seals the folder anew can make the hashes fit, not the models."""
    copy = shutil.copytree(bundled, tmp_path / "copy")
    folder = edit(copy, "judged", lambda record: set_hits(record, "0" * 40))
    code, output, error = bench_here("replay", str(folder), "--device", "cpu")
    assert code == 4, error
    assert "channel triggers of the suspect: different" in output
    lines = dict(line.split(maxsplit=1) for line in output.splitlines() if not line.startswith("check"))
    assert lines["recorded"].startswith("removed")
    assert lines["derived"].startswith("survived")
    assert lines["result"] == "different"


@pytest.mark.parametrize("role", ["attacked", "marked"])
def test_a_models_answers_are_given_anew(bundled: Path, tmp_path: Path, role: str) -> None:
    copy = shutil.copytree(bundled, tmp_path / "copy")

    def turn(record: dict[str, Any]) -> None:
        correct = record["result"]["utility"]["correct"]
        record["result"]["utility"]["correct"] = correct.translate(str.maketrans("01", "10"))

    code, output, error = bench_here("replay", str(edit(copy, role, turn)), "--device", "cpu")
    assert (code, ": different (correct:" in output) == (4, True), error + output


def test_an_admission_is_given_anew(bundled: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundled, tmp_path / "copy")
    folder = edit(copy, "judged", lambda record: record["result"]["admission"].update(bound=False))
    code, output, error = bench_here("replay", str(folder), "--device", "cpu")
    assert (code, "admission of the key of the suspect: different" in output) == (4, True), error


def test_a_bundle_of_an_earlier_version_comes_to_the_same(bundled: Path, tmp_path: Path) -> None:
    folder = of_an_earlier_version(shutil.copytree(bundled, tmp_path / "copy"))
    code, output, error = bench_here("replay", str(folder), "--device", "cpu", "--json")
    assert code == 0, error + output
    assert json.loads(output)["outcome"] == "equal"
    assert json.loads(output)["recorded"] == json.loads(output)["derived"]


def test_what_a_record_says_nothing_of_is_left_out() -> None:
    from benchmark.app.comparison import as_recorded

    totals = {"kind": "redrawn", "totals": [0, 1]}
    law = totals | {"more": 3, "reached": 1, "most": 980}
    seen = {
        "evidence": "a", "unreadable": None, "gates": {}, "views": ["b", "c"],
        "channels": {"a": {"hits": "10", "law": law}, "b": {"hits": "11"}, "c": {"hits": "01"}},
    }  # fmt: skip
    old = {
        "evidence": "a", "unreadable": None, "gates": {}, "views": ["b"],
        "channels": {"a": {"hits": "10", "law": totals}, "b": {"hits": "11"}},
    }  # fmt: skip
    assert as_recorded(old, seen) == (old, ["the channel c", "further keys of the channel a"])
    assert as_recorded(seen, seen) == (seen, [])


def test_a_job_that_is_not_the_one_of_its_name_is_refused(bundled: Path, tmp_path: Path) -> None:
    from benchmark.store.records import with_checksum

    copy = shutil.copytree(bundled, tmp_path / "copy")
    text = (copy / "records.jsonl").read_text()
    assert '"amount":0.3' in text
    (copy / "records.jsonl").write_text(text.replace('"amount":0.3', '"amount":0.9'))
    code, _, error = bench_here("replay", str(resealed(copy)), "--device", "cpu")
    assert (code, "its content does not fit its checksum" in error) == (2, True)
    lines = [with_checksum(json.loads(line)) for line in (copy / "records.jsonl").read_text().splitlines()]
    (copy / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, _, error = bench_here("replay", str(resealed(copy)), "--device", "cpu")
    assert (code, "its id is not that of the job in it" in error) == (2, True)


def test_a_false_name_in_run_json_is_not_repeated(bundled: Path, tmp_path: Path) -> None:
    """Scheme, attack and seed are called what the jobs' payloads call them."""
    copy = shutil.copytree(bundled, tmp_path / "copy")
    text = (copy / "run.json").read_text()
    for old, new in (
        ("adi(", "rose("),
        ("prune(amount=0.3)", "prune(amount=0.9)"),
        ('"replicate": 0', '"replicate": 4'),
    ):
        assert old in text
        text = text.replace(old, new)
    (copy / "run.json").write_text(text)
    code, output, error = bench_here("replay", str(resealed(copy)), "--device", "cpu", "--json")
    assert code == 0, error
    cell = json.loads(output)["cell"]
    assert cell["scheme"] == "adi(epochs=8,folder='',k=16,lr=0.05,mode=scratch,n=40)"
    assert (cell["attack"].startswith("prune(amount=0.3"), cell["replicate"]) == (True, 0)


def test_the_thresholds_are_those_of_the_bundle_and_are_shown(finished: Path, tmp_path: Path) -> None:
    where = ("--results", str(finished), "--run", "small", "--alpha", "1e-200", "--budget", "7")
    code, _, error = bench_here("bundle", "adi", "prune(amount=0.3)", "--out", str(tmp_path / "b"), *where)
    assert code == 0, error
    code, output, error = bench_here("replay", str(tmp_path / "b"), "--device", "cpu")
    assert code == 0, error
    assert "at alpha 1e-200 and a budget of 7 points" in output
    assert "embed-failed" in output


def test_other_text_than_the_code_that_ran_is_different(bundled: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundled, tmp_path / "copy")
    (copy / "code" / "scheme-adi.py.txt").write_text("print('harmless')\n")
    code, output, _ = bench_here("replay", str(resealed(copy)), "--device", "cpu")
    assert (code, "is not the code that ran" in output) == (4, True)


def test_a_bundle_of_an_older_version_says_so(bundled: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundled, tmp_path / "copy")
    manifest = json.loads((copy / "MANIFEST.json").read_text())
    (copy / "MANIFEST.json").write_text(json.dumps({**manifest, "schema": 1}))
    code, _, error = bench_here("replay", str(copy), "--device", "cpu")
    assert code == 2
    assert error == (
        f"{copy} was made by an older version of watermark-bench, which this one can't read: "
        "replay it with watermark-bench 0.1.0, or ask its author for a new bundle"
    )


def test_sealed_and_malformed_is_one_sentence(bundled: Path, tmp_path: Path) -> None:
    damage: list[tuple[str, Any]] = [("records.jsonl", ""), ("bundle.json", "[]"), ("bundle.json", "no JSON")]
    damage += [("bundle.json", "{}"), ("bundle.json", '{"schema": 99}')]
    run = json.loads((bundled / "run.json").read_text())
    damage += [("run.json", json.dumps({**run, name: []})) for name in ("cells", "schemes", "profile", "data")]
    damage.append(("run.json", json.dumps({**run, "cells": [{**run["cells"][0], "innocent": True}]})))
    lines = [json.loads(line) for line in (bundled / "records.jsonl").read_text().splitlines()]
    for role in ("judged", "attacked", "fresh", "nulls", "marked"):
        id = run["cells"][0]["jobs"][role]
        bare = [{**line, "result": {}} if line["id"] == id else line for line in lines]
        damage.append(("records.jsonl", "".join(json.dumps(line) + "\n" for line in bare)))
        damage.append(("records.jsonl", "".join(json.dumps(line) + "\n" for line in lines if line["id"] != id)))
    for number, (name, text) in enumerate(damage):
        copy = shutil.copytree(bundled, tmp_path / str(number))
        (copy / name).write_text(text)
        code, _, error = bench_here("replay", str(resealed(copy)), "--device", "cpu")
        assert (code, bool(error), "\n" in error) == (2, True, False), (name, text[:200], error)


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        ({"hits": "1" * 100}, {"hits": "1" * 100}, "equal"),
        ({"hits": "1" * 100}, {"hits": "1" * 99 + "0"}, "within tolerance"),
        ({"hits": "1" * 100}, {"hits": "1" * 98 + "00"}, "different"),
        ({"hits": "1" * 40}, {"hits": "1" * 39 + "0"}, "within tolerance"),
        ({"hits": "1" * 40}, {"hits": "1" * 41}, "different"),
        ({"values": [1.0, 2.0]}, {"values": [1.0, 2.019]}, "within tolerance"),
        ({"values": [1.0, 2.0]}, {"values": [1.0, 2.03]}, "different"),
        ({"values": [1.0]}, {"hits": "1"}, "different"),
        ({"hits": "1", "law": {"p": 0.1}}, {"hits": "1", "law": {"p": 0.5}}, "different"),
    ],
)
def test_tolerance(old: dict[str, Any], new: dict[str, Any], outcome: str) -> None:
    from benchmark.app.comparison import compared

    assert compared("x", old, new).outcome == outcome
