"""Questions in writing: what the folder tells, and what becomes of the table that comes back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from bench import bench_here
from lab import Exhibit, Lab
from PIL import Image

from benchmark.app.verify.claims import read_claim
from benchmark.app.verify.courtroom import Courtroom
from benchmark.app.verify.pictures import digest
from benchmark.app.verify.questions import Questionnaire, Sheet, Written
from benchmark.plugins.registry import Registry

from .suspect_forms import fill, names, written

PLUGIN = '''
from dataclasses import dataclass

import torch

from benchmark import contract as wm
from schemes.adi import Adi


@dataclass(frozen=True)
class Twice(Adi):
    """Adi before a court that reads probabilities, and asks its second half only where the first half is known."""

    name = "twice"
    court = "probabilities"

    def observe(self, suspect, key, court):
        first, second = wm.as_float(key.images).split(len(key.images) // 2)
        hits = suspect.ask(first).argmax(1) == key.labels[: len(first)]
        if hits.any():
            hits = torch.cat([hits, suspect.ask(second).argmax(1) == key.labels[len(first) :]])
        return wm.Observations("triggers", {"triggers": wm.Channel(hits, wm.binomial(1 / key.classes))})
'''


@pytest.fixture
def folder(owner: Path, tmp_path: Path) -> Path:
    return ask(owner, tmp_path / "questions")


def ask(owner: Path, out: Path, *words: str) -> Path:
    code, said, error = bench_here("ask", "--key", str(owner), "--out", str(out), "--device", "cpu", *words)
    assert code == 0, error
    assert "takes 4 triggers of a mark that is whole" in said
    return out


def test_nothing_in_the_folder_says_which_images_bear_the_mark(owner: Path, folder: Path, marked: Exhibit) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert sorted(manifest) == ["images", "key", "occasion", "schema", "task"]
    assert manifest["key"] == json.loads((owner / "card.json").read_text())["commitment"]
    assert (folder / "answers.csv").read_text().splitlines()[:2] == ["image,label", "001.png,"]
    assert len(names(folder)) == len(manifest["images"]) == 200
    assert all(not Image.open(folder / name).info for name in names(folder))
    places = [manifest["images"].index(digest(image)) for image in marked.key.images]
    assert places != sorted(places)
    assert min(places) < 50
    assert max(places) >= 150
    other = ask(owner, folder.with_name("again"))
    assert json.loads((other / "manifest.json").read_text())["occasion"] != manifest["occasion"]
    assert marked.key.secret.hex() not in (folder / "manifest.json").read_text()


def test_written_answers_are_judged_as_the_model_is(
    verify: Callable[..., dict[str, Any]], owner: Path, folder: Path, marked: Exhibit, lab: Lab
) -> None:
    own = verify("--suspect", str(owner / "model.safetensors"))
    found = verify("--answers", str(fill(folder, marked.service.running())))
    assert (found["verdict"], found["asked"], found["own_images"]) == ("present", 200, 160)
    assert found["evidence"] == own["evidence"]
    found = verify("--answers", str(fill(folder, lab.null(0).service.running())))
    assert (found["verdict"], found["claim"]) == ("absent", "refused")
    assert found["utility"]["value"] > 0.8


def test_images_that_come_back_are_other_answers_only_beyond_rounding(tmp_path: Path) -> None:
    flat = torch.full((3, 32, 32), 0.5)
    rounded, brighter = flat.clone(), flat.clone()
    rounded[0, 5, 5] += 1 / 255  # its brightest value lies elsewhere
    brighter[:, 16:] += 0.2
    brighter[0, 0, 0] = 1  # and that of `brightest` lies at the same place
    brightest = flat.clone()
    brightest[0, 0, 0] = 1
    asked = Questionnaire("key", "kodak128", "occasion", ("a", "b"))
    first = Sheet(tmp_path, asked, torch.stack([flat, brightest]))
    again = Sheet(tmp_path, asked, torch.stack([rounded, brighter]))
    assert Written([first, first]).changed == 0
    assert Written([first, again]).changed == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda rows: rows[:-1], "1 images have no line, such as 200.png"),
        (lambda rows: [rows[1], rows[0], *rows[2:]], "line 2 names 002.png where 001.png stood"),
        (lambda rows: [*rows, rows[0]], "line 202 answers 001.png a second time"),
        (lambda rows: [*rows[:-1], "200.png,10"], "(200.png) answers '10', which is no class: they are 0 to 9"),
        (lambda rows: [*rows[:-1], "200.png,-1"], "which is no class"),
        (lambda rows: [*rows[:-1], "200.png,"], "(200.png) has no answer"),
        (lambda rows: [*rows[:-1], "201.png,1"], "names '201.png', which is none of the images"),
        (lambda rows: [*rows[:-1], "200.png,1,2"], "line 201 has 3 columns, not 2"),
    ],
)
def test_a_table_that_is_not_filled_as_it_should_be_is_one_sentence(
    refused: Callable[..., str], folder: Path, marked: Exhibit, change: Callable[[list[str]], list[str]], sentence: str
) -> None:
    assert sentence in refused("--answers", str(fill(folder, marked.service.running(), change)))


def test_a_table_apart_from_its_manifest_or_of_another_key_is_one_sentence(
    refused: Callable[..., str], folder: Path, marked: Exhibit, tmp_path: Path
) -> None:
    table = fill(folder, marked.service.running())
    lone = shutil.copy(table, tmp_path / "answers.csv")
    assert "put answers.csv back into the folder" in refused("--answers", str(lone))
    table.write_text("picture;class\n")
    assert "the first line is picture;class, not image,label" in refused("--answers", str(table))
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"key": "', '"key": "0'))
    assert "belongs to questions of another key or task" in refused("--answers", str(table))
    assert "already holds something" in refused("--out", str(folder), command="ask")


def test_a_scheme_that_stamps_the_judges_images_gets_all_of_them(lab: Lab, owner: Path, marked: Exhibit) -> None:
    from schemes.content import Content

    content = Content(n=20, kind="noise")
    key = content.keygen(lab.owner(content), torch.Generator().manual_seed(1))
    folder = written(owner.parent / "content", "content(n=20,kind=noise)", marked.service, key, lab.context)
    for where, own in ((owner, 160), (folder, 397)):
        claim = read_claim(where, None, None, Registry.discover(), {})
        room = Courtroom.of(claim, "cpu", "twice")
        (first, probe), (again, other) = room.first_questions(), room.first_questions()
        assert len(probe) == own
        assert torch.equal(first, again)
        assert torch.equal(probe.x, other.x)


def test_a_court_that_asks_on_gets_further_answers_with_probabilities(
    owner: Path, tmp_path: Path, marked: Exhibit, refused: Callable[..., str], verify: Callable[..., dict[str, Any]]
) -> None:
    plugin = tmp_path / "twice.py"
    plugin.write_text(PLUGIN)
    words = ("--plugin", str(plugin), "--scheme", "twice(n=40)")
    first = ask(owner, tmp_path / "first", *words)
    assert (first / "answers.csv").read_text().startswith("image,label,p0,p1,")
    assert len(names(first)) == 20 + 80
    answers = ("--answers", str(fill(first, marked.service.running())))
    assert "goes on by what was answered, and asks 20 more" in refused(*answers, *words)
    second = ask(owner, tmp_path / "second", *answers, *words)
    assert len(names(second)) == 40
    more = ("--answers", str(fill(second, marked.service.running())))
    found = verify(*answers, *more, *words)
    assert (found["verdict"], found["evidence"]["total"], found["asked"]) == ("present", 40, 140)
    assert "has nothing more to ask" in refused(*answers, *more, *words, "--out", str(tmp_path / "o"), command="ask")

    def labels(rows: list[str]) -> list[str]:
        return [",".join([*row.split(",")[:2], *[""] * 10]) for row in rows]

    sentence = "answers with labels alone, and this court reads probabilities"
    assert sentence in refused("--answers", str(fill(first, marked.service.running(), labels)), *words)

    def wrong(rows: list[str]) -> list[str]:
        return [*rows[:-1], ",".join([*rows[-1].split(",")[:2], *["0.9"] * 10])]

    assert "do not add up to 1" in refused("--answers", str(fill(first, marked.service.running(), wrong)), *words)
