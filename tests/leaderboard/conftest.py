"""Runs made up for the pages: a `run.json` and records with chosen hits and outcomes, no models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark.identity import job_id
from benchmark.store.records import RecordStore
from leaderboard.judge.board import Board, judge
from leaderboard.judge.run import Run, read_run
from leaderboard.pages.publish import published

N = 400  # test images
ITEMS = 100  # key items
IMAGES = 40  # test images of the image-to-image track
NULL_HITS = (9, 7, 11, 8, 10, 6, 12, 9, 8, 10, 7, 9, 11, 8, 13, 4)  # of 100, on 16 models without a mark
NULL_HITS_400 = (93, 101, 88, 110, 97, 120, 92, 105, 99, 113, 128, 90, 95, 107, 102, 98)  # of 400
ADMISSION = {"well_formed": True, "bound": True, "hash_bound": True, "committed": False, "reason": None}

published_board = published  # read and judged once for all tests of a process


def outcomes(wrong: int) -> str:
    return "0" * wrong + "1" * (N - wrong)


def observation(hits: int, gate_wrong: int | None = None) -> dict[str, Any]:
    """An observation of `hits`; `gate_wrong`: wrong answers with the claimed key installed, against none."""
    gates = {} if gate_wrong is None else {"fidelity": {"before": outcomes(0), "after": outcomes(gate_wrong)}}
    bits = {"hits": "1" * hits + "0" * (ITEMS - hits), "law": {"kind": "binomial", "p": 0.1}}
    other = {"hits": "1" * 60 + "0" * 40}
    return {"evidence": "bits", "channels": {"bits": bits, "carried": other}, "gates": gates, "unreadable": None}


def projections(mean: float) -> dict[str, Any]:
    """An observation of real scores around `mean`, one per test image."""
    values = [mean + 0.1 * (index % 5 - 2) for index in range(IMAGES)]
    return {"evidence": "projection", "channels": {"projection": {"values": values}}, "gates": {}, "unreadable": None}


UNREADABLE = {"evidence": "", "channels": {}, "gates": {}, "unreadable": "its layer 3 has another shape"}


class Case:
    """A run in the making. Jobs are added with their records; `board` writes, reads and judges it."""

    def __init__(self, folder: Path, seeds: int = 1) -> None:
        self.folder = folder
        self.store = RecordStore(folder / "store")
        self.task = "digits"  # of the jobs and schemes that are added
        self.run: dict[str, Any] = {
            "schema": 1,
            "run": "made-up",
            "version": "0.1.0",
            "command": "bench run --schemes all --attacks all",
            "created": "2026-01-01T00:00:00+00:00",
            "profile": {
                "name": "made-up", "about": "", "task": "digits", "architecture": "convnet", "precision": "float32",
                "alpha": 0.001, "budget": 5.0, "nulls": 16, "seeds": seeds, "timeout": 60.0,
                "thief": {"pool": "disjoint", "share": 1.0}, "training": {"epochs": 10},
            },
            "data": [{"task": "digits", "kind": "classification", "unit": "points", "owner": 1000, "thief": 400,
                      "test": N, "sha256": "ab" * 32, "architecture": "convnet", "nulls": 16, "budget": 5.0,
                      "alpha": 0.001}],
            "schemes": [], "attacks": [], "cells": [], "jobs": {}, "broken": [],
        }  # fmt: skip

    def job(
        self, kind: str, label: str, parents: list[str], result: dict[str, Any] | None = None,
        status: str | None = "ok", reason: str | None = None, suspects: list[str] | None = None, seconds: float = 2.0,
    ) -> str:  # fmt: skip
        """Add a job and its record; status None: it was never run."""
        job = {"label": f"{kind} {label}", "suspects": suspects or [], "world": {"task": self.task}}
        if kind == "judged":
            job |= {"key": parents[0], "scheme": {"name": "toy", "code": ""}}
        id = job_id(job)
        self.run["jobs"][id] = {"kind": kind, "label": label, "parents": parents}
        if status is not None:
            ran = {"seconds": seconds, "peak_memory_mb": 300.0, "device": "cpu", "hardware": "a cpu",
                   "versions": {"torch": "2"}, "finished": "2026-01-01T00:00:00"}  # fmt: skip
            self.store.write({
                "schema": 1, "id": id, "kind": kind, "status": status, "reason": reason, "parents": parents,
                "job": job, "result": result if status == "ok" and result else {}, "run": ran,
            })  # fmt: skip
        return id

    def model(
        self, kind: str, label: str, parents: list[str], wrong: int = 0, operations: int = 1000, **options: Any
    ) -> str:
        cost = {"labelled": 400, "unlabelled": 0, "queries": 0, "steps": 60, "samples": 3840,
                "operations": operations}  # fmt: skip
        result = {"utility": {"correct": outcomes(wrong)}, "cost": cost, "artefacts": {}}
        return self.job(kind, label, parents, result, **options)

    def images(self, kind: str, label: str, parents: list[str], loss: float = 0.0, **options: Any) -> str:
        """An image-to-image model whose PSNR lies `loss` dB below 30 on average, 8 dB over doing nothing.

        Its SSIM is .9 on average. A marked one lies at 35 dB and SSIM .97 from its host.
        """
        spread = [0.3 * ((7 * index + len(label)) % 5 - 2) for index in range(IMAGES)]
        seen = {"psnr": [30.0 - loss + one for one in spread], "ssim": [0.85, 0.95] * (IMAGES // 2),
                "identity": [22.0] * IMAGES}  # fmt: skip
        cost = {"labelled": 90, "unlabelled": 0, "queries": 0, "steps": 60, "samples": 960, "operations": 4000}
        result: dict[str, Any] = {"utility": seen, "cost": cost, "artefacts": {}}
        if kind == "marked":
            result["embedding"] = {"psnr": [34.0, 36.0], "ssim": [0.96, 0.98]}
        return self.job(kind, label, parents, result, **options)

    def image_track(
        self, losses: Sequence[float] = (), attacks: Sequence[tuple[str, float, float]] = (),
        surrogates: Sequence[tuple[float, float]] = (),
    ) -> dict[str, str]:  # fmt: skip
        """A second track with one scheme, and the jobs that its cells share.

        losses: of the nulls (16 good ones). attacks: (label, score, loss). surrogates: of the first nulls, as (score,
        loss); without them the run is one of before there were any.
        """
        self.run["data"].append({
            "task": "photos", "kind": "image-to-image", "unit": "dB", "owner": 200, "thief": 100, "test": IMAGES,
            "sha256": "cd" * 32, "architecture": "unet", "nulls": 16, "budget": 0.5, "alpha": 0.001,
            **({"surrogates": len(surrogates)} if surrogates else {}),
        })  # fmt: skip
        self.task, losses = "photos", losses or [0.1 * (index % 3) for index in range(16)]
        self.run["schemes"].append({
            "label": "deepmodel", "name": "deepmodel", "doc": "Hidden in images.", "paper": "", "release": "outputs",
            "court": "outputs", "item": "image", "host": True, "parameters": {}, "task": "photos",
        })  # fmt: skip
        nulls = [self.images("null", f"photos null {index}", [], loss) for index, loss in enumerate(losses)]
        host = self.images("host", "photos host", [])
        marked = self.images("marked", "photos marked", [host], 0.1)
        scratch = self.images("attacked", "photos scratch", [], 2.0)
        shared = {"host": host, "marked": marked, "scratch": scratch,
                  "fresh": self.judged("photos fresh", marked, [marked], [projections(1.0)]),
                  "nulls": self.judged("photos nulls", marked, nulls, [projections(0.02 * (i % 5 - 2))
                                                                       for i in range(len(nulls))])}  # fmt: skip
        if surrogates:
            copies = [self.images("attacked", f"photos surrogate of null {index}", [nulls[index]], loss)
                      for index, (_, loss) in enumerate(surrogates)]  # fmt: skip
            seen = [projections(score) for score, _ in surrogates]
            shared["surrogate_nulls"] = self.judged("photos surrogates", marked, copies, seen)
        pools = {role: shared[role] for role in ("nulls", "surrogate_nulls") if role in shared}
        for label, score, loss in attacks:
            self.attack(label, tasks=["image-to-image"])
            attacked = self.images("attacked", f"photos {label}", [marked], loss)
            judged = self.judged(f"photos judged {label}", marked, [attacked], [projections(score)])
            self.cell("deepmodel", label, shared | {"attacked": attacked, "judged": judged})
        innocent = self.images("null", "photos innocent", [])
        judged = self.judged("photos judged innocent", marked, [innocent], [projections(0.03)])
        self.cell("deepmodel", "none", {"suspect": innocent, "judged": judged, **pools}, innocent=True)
        self.task = "digits"
        return shared

    def judged(
        self, label: str, key: str, suspects: list[str], seen: list[dict[str, Any]],
        admission: dict[str, Any] = ADMISSION, **options: Any,
    ) -> str:  # fmt: skip
        result = {"observations": seen, "admission": admission}
        return self.job("judged", label, [key, *suspects], result, suspects=suspects, **options)

    def row(self, label: str) -> None:
        """A scheme of the run, whatever was recorded of it."""
        if label not in [scheme["label"] for scheme in self.run["schemes"]]:
            self.run["schemes"].append({
                "label": label, "name": label, "doc": "A scheme.", "paper": "https://example.org/paper",
                "release": "weights", "court": "labels", "item": "trigger", "host": True,
                "parameters": {"n": ITEMS}, "task": self.task,
            })  # fmt: skip

    def scheme(
        self, label: str, hits: int = 96, replicate: int = 0, nulls: tuple[int, ...] = NULL_HITS
    ) -> dict[str, str]:
        """A marked model that shows `hits`, and the jobs that all its cells share."""
        self.row(label)
        models = [self.model("null", f"null {index}", [], wrong=8) for index in range(len(nulls))]
        host = self.model("host", f"host {replicate}", [], wrong=8)
        marked = self.model("marked", f"marked {label} {replicate}", [host], seconds=8.0)
        scratch = self.model("attacked", f"scratch {replicate}", [], wrong=20)
        judged = [observation(hit, 0) for hit in nulls]
        return {
            "host": host, "marked": marked, "scratch": scratch,
            "fresh": self.judged(f"fresh {label} {replicate}", marked, [marked], [observation(hits, 0)]),
            "nulls": self.judged(f"nulls by {label} {replicate}", marked, models, judged),
        }  # fmt: skip

    def attack(self, label: str, kind: str = "removal", **traits: Any) -> None:
        if label not in [attack["label"] for attack in self.run["attacks"]]:
            self.run["attacks"].append({
                "label": label, "doc": "An attack.", "paper": "", "family": "made up", "kind": kind,
                "access": "weights", "requires": [], "target": "release", "claim": kind in ("ambiguity", "false-claim"),
                "stages": [{"name": label, "parameters": {}}], "tasks": ["classification"], **traits,
            })  # fmt: skip

    def cell(self, scheme: str, attack: str, jobs: dict[str, str], replicate: int = 0, **fields: Any) -> None:
        self.run["cells"].append({"scheme": scheme, "attack": attack, "replicate": replicate, "innocent": False,
                                  "reason": None, "jobs": jobs, **fields})  # fmt: skip

    def hit(
        self, shared: dict[str, str], scheme: str, attack: str, seen: dict[str, Any] | int, wrong: int = 0, *,
        kind: str = "removal", admission: dict[str, Any] = ADMISSION, replicate: int = 0, **options: Any,
    ) -> dict[str, str]:  # fmt: skip
        """One cell: the attacked model gets `wrong` answers wrong and shows `seen`; `options` are of its job."""
        self.attack(attack, kind)
        name = f"{scheme} × {attack} {replicate}"
        attacked = self.model("attacked", f"attacked {name}", [shared["marked"]], wrong, **options)
        found = observation(seen) if isinstance(seen, int) else seen
        options.pop("operations", None)
        ran = options.get("status", "ok") == "ok"
        key = attacked if kind == "ambiguity" else shared["marked"]
        judged = self.judged(f"judged {name}", key, [attacked], [found], admission, status="ok" if ran else None)
        jobs = shared | {"attacked": attacked, "judged": judged}
        if kind == "ambiguity":
            jobs["fresh_nulls"] = shared["nulls"]
        self.cell(scheme, attack, jobs, replicate)
        return jobs

    def innocent(self, shared: dict[str, str], scheme: str, attack: str, hits: int, suspect: str | None = None) -> None:
        suspect = suspect or self.model("null", "the innocent", [], wrong=8)
        judged = self.judged(f"innocent {scheme} {attack}", shared["marked"], [suspect], [observation(hits, 0)])
        jobs = {"marked": shared["marked"], "suspect": suspect, "judged": judged, "nulls": shared["nulls"]}
        self.cell(scheme, attack, jobs, innocent=True)

    def read(self) -> Run:
        (self.folder / "run.json").write_text(json.dumps(self.run))
        return read_run(self.folder, self.store)

    def board(self, alpha: float | None = None, budget: float | None = None) -> Board:
        return judge(self.read(), alpha, budget)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


@pytest.fixture
def full(case: Case) -> Case:
    """A case in which every verdict word occurs, each at the attack of that name."""
    shared = case.scheme("adi")
    case.hit(shared, "adi", "survived", 96)
    case.hit(shared, "adi", "unprovable", observation(96, gate_wrong=80))
    case.hit(shared, "adi", "useless", 96, wrong=80)
    case.hit(shared, "adi", "removed", 5)
    case.hit(shared, "adi", "no-better-than-scratch", 5, wrong=8)
    case.hit(shared, "adi", "unreadable", UNREADABLE)
    case.hit(shared, "adi", "utility-lost", 5, wrong=80)
    case.hit(shared, "adi", "undecided (evidence)", 17)
    case.hit(shared, "adi", "undecided (utility)", 5, wrong=20)
    case.hit(shared, "adi", "undecided (both)", 17, wrong=20)
    lawless = observation(22)  # a mark that unmarked nets alone can prove
    del lawless["channels"]["bits"]["law"]
    case.hit(shared, "adi", "undecided (nulls)", lawless)
    case.hit(shared, "adi", "crashed", 5, status="crashed", reason="ValueError: wrong shape (prune.py:12)")
    case.hit(shared, "adi", "killed", 5, status="killed", reason="the worker received SIGKILL")
    case.hit(shared, "adi", "timeout", 5, status="timeout", reason="stopped after 60 s")
    case.hit(shared, "adi", "oom", 5, status="oom", reason="out of memory: 4 GiB")
    case.hit(shared, "adi", "not-run", 5, status=None)
    case.attack("not-applicable")
    case.cell("adi", "not-applicable", {}, reason="not-applicable needs a scheme with passports; adi has none")
    case.hit(shared, "adi", "forged", observation(96, 0), kind="ambiguity")
    case.hit(shared, "adi", "rejected", observation(96, 80), kind="ambiguity")
    case.hit(shared, "adi", "undecided claim", observation(96, 20), kind="ambiguity")
    case.innocent(shared, "adi", "none", 9)
    innocent = next(id for id, job in case.run["jobs"].items() if job["label"] == "the innocent")
    case.innocent(shared, "adi", "survived", 60, case.model("attacked", "attacked innocent", [innocent]))
    weak = case.scheme("weak", hits=10)
    case.hit(weak, "weak", "survived", 10)
    return case
