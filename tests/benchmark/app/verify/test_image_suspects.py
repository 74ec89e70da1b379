"""Suspects that make images, and stamped images, before courts that hear answers alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from bench import PROFILE, bench_here
from lab import Exhibit, Lab
from PIL import Image

from benchmark.app.verify import questions
from benchmark.app.verify.claims import read_claim
from benchmark.app.verify.courtroom import Courtroom
from benchmark.app.verify.pictures import png
from benchmark.data.splits import as_bytes
from benchmark.plugins.registry import Registry
from benchmark.protocol.court import Suspect
from schemes.content import Content
from schemes.deepmodel import DeepModel
from schemes.deepmodel_bits import DeepModelBits

from .suspect_forms import Server, answer_all, images, names, save, written

Verdict = Callable[..., dict[str, Any]]


@pytest.fixture
def bits(image_lab: Lab) -> Exhibit:
    return image_lab.embed(DeepModelBits())


@pytest.fixture
def owner(image_lab: Lab, bits: Exhibit, tmp_path: Path) -> Path:
    """An owner of a net that makes images: the commands of `verify` and `refused` use his key."""
    return written(tmp_path / "owner", "deepmodel-bits", bits.service, bits.key, image_lab.context)


@pytest.fixture
def folder(owner: Path, tmp_path: Path) -> Path:
    return ask(owner, tmp_path / "questions")


def ask(owner: Path, out: Path) -> Path:
    code, said, error = bench_here("ask", "--key", str(owner), "--out", str(out), "--device", "cpu")
    assert code == 0, error
    assert "as a PNG file of the same name and size" in said
    return out


def answer(folder: Path, exhibit: Exhibit) -> Path:
    """The folder of answers, with what a model makes of each question."""
    made = exhibit.service.running().ask(images(folder), "outputs")
    for name, one in zip(names(folder), as_bytes(made), strict=True):
        (folder / "answers" / name).write_bytes(png(one))
    return folder / "answers"


def test_a_net_that_makes_images_is_judged_alike_in_every_form(
    verify: Verdict, owner: Path, folder: Path, bits: Exhibit, image_lab: Lab, tmp_path: Path
) -> None:
    own = verify("--suspect", str(owner / "model.safetensors"))
    assert own["verdict"] == "present"
    file = save(bits.service.net.module().eval(), tmp_path / "model.pt2", torch.rand(2, 3, 32, 32))
    assert verify("--suspect", str(file))["evidence"]["total"] == own["evidence"]["total"]
    with Server(bits.service.running()) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        words = ("--suspect", server.url, "--rate", "10000")
        asked = verify(*words)
        requests = server.requests
        assert verify(*words)["evidence"] == asked["evidence"]
        assert server.requests == requests == 5  # 100 images, each answer of which was kept
        server.shutdown()
    answered = verify("--answers", str(answer(folder, bits)))
    assert len(names(folder)) == answered["asked"] == answered["own_images"] == 64
    for found in (asked, answered):  # an answer of 8 bits a pixel
        assert found["verdict"] == "present"
        assert abs(found["evidence"]["total"] - own["evidence"]["total"]) <= 1
        assert abs(found["utility"]["value"] - own["utility"]["value"]) < 0.1
    innocent = verify("--answers", str(answer(folder, image_lab.null(0))))
    assert (innocent["verdict"], innocent["claim"]) == ("absent", "refused")


def test_the_page_of_a_net_that_makes_images_says_what_was_read(owner: Path, folder: Path, bits: Exhibit) -> None:
    words = ("verify", "--key", str(owner), "--device", "cpu", "--answers", str(answer(folder, bits)))
    code, said, error = bench_here(*words)
    assert code == 0, error
    assert "64 images in shuffled order, 64 different ones of the judge's own, which show derain" in said
    assert "the mark is read from what it made of them" in said
    assert "recognise images of a key" not in said


def test_a_mark_without_a_law_is_read_from_images_that_came_back(image_lab: Lab, tmp_path: Path) -> None:
    marked = image_lab.embed(DeepModel())
    owner = written(tmp_path / "owner", "deepmodel", marked.service, marked.key, image_lab.context)
    claim = read_claim(owner, None, None, Registry.discover(), {})
    sheets = questions.read_sheets([answer(ask(owner, tmp_path / "questions"), marked)], claim)
    room = Courtroom.of(claim, "cpu", sheets[0].questions.occasion)
    found, probe = questions.written(room, sheets)
    court = room.court(probe, found.answered)
    suspect = Suspect(found.service, found.asked, room.answers(found.asked, probe), "outputs", court)
    read = claim.scheme.observe(suspect, claim.key, court).channels["projection"].items.mean()
    own = torch.tensor(image_lab.observe(DeepModel(), marked)["channels"]["projection"]["values"]).mean()
    assert own > 0.7
    assert float(read) == pytest.approx(float(own), abs=0.02)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda file: file.unlink(), "1 images have no answer, such as 01.png: answer every image"),
        (lambda file: file.with_name("more.png").write_bytes(b""), "holds 'more.png', which is none of the images"),
        (lambda file: file.write_bytes(b"GIF89a"), "01.png is no answer: it can't be read as a PNG file (it is none)"),
        (lambda file: file.write_bytes(file.read_bytes()[:200]), "it can't be read as a PNG file ("),
        (lambda file: Image.new("RGB", (64, 64)).save(file), "it is RGB of 64x64 pixels, not RGB of 32x32"),
        (lambda file: Image.new("RGBA", (32, 32)).save(file), "it is RGBA of 32x32 pixels, not RGB of 32x32"),
        (lambda file: [file.unlink(), file.mkdir()], "01.png can't be read"),
    ],
)
def test_images_that_are_no_answers_are_one_sentence(
    refused: Callable[..., str], folder: Path, bits: Exhibit, spoil: Callable[[Path], object], sentence: str
) -> None:
    answers = answer(folder, bits)
    spoil(answers / "01.png")
    assert sentence in refused("--answers", str(answers))


def test_a_folder_apart_from_its_questions_is_one_sentence(refused: Callable[..., str], folder: Path) -> None:
    assert "put answers back into the folder that bench ask wrote" in refused("--answers", str(folder))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"labels": [1] * 20}, 'is not {"images": ["...", ...]}: 0 answers are kept'),
        ({"images": [""] * 19}, "answers 20 images with 19 answers"),
        ({"images": [7] * 20}, "an image that can't be used (it is a int, not a text)"),
        ({"images": ["<svg>"] * 20}, "an image that can't be used ("),
        ({"images": ["R0lGODlh"] * 20}, "an image that can't be used (it can't be read as a PNG file (it is none))"),
    ],
)
def test_an_address_that_answers_with_no_images_is_one_sentence(
    refused: Callable[..., str], bits: Exhibit, body: dict[str, Any], sentence: str
) -> None:
    with Server(bits.service.running()) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.mood = lambda number, answer: (200, body)
        assert sentence in refused("--suspect", server.url, "--rate", "10000")
        server.shutdown()


def test_an_image_that_comes_back_otherwise_is_named(verify: Verdict, owner: Path, bits: Exhibit) -> None:
    seen, changed = set[str](), list[str]()

    def mood(number: int, answer: dict[str, Any]) -> tuple[int, Any]:
        for place, image in enumerate(server.images):
            if image in seen and not changed:  # the court fills its batch with images that it has asked before
                changed.append(image)
                answer["images"][place] = image
            seen.add(image)
        return 200, answer

    with Server(bits.service.running()) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.mood = mood
        found = verify("--suspect", server.url, "--rate", "10000")
        server.shutdown()
    assert [one for one in found["notes"] if one.startswith("1 images got another image when they were asked again")]


def test_a_court_that_stamps_its_own_images_hears_answers(lab: Lab, finished: Path, tmp_path: Path) -> None:
    marked = lab.embed(Content())
    owner = written(tmp_path / "owner", "content", marked.service, marked.key, lab.context)
    key = ("--key", str(owner), "--device", "cpu", "--profile", str(PROFILE))

    def verdict(*words: str) -> dict[str, Any]:
        code, output, error = bench_here("verify", *key, "--nulls", str(finished), "--json", *words)
        assert code == 0, error
        found: dict[str, Any] = json.loads(output)
        return found

    with Server(marked.service.running()) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = verdict("--suspect", server.url, "--rate", "10000")
        server.shutdown()
    assert (found["verdict"], found["own_images"]) == ("present", 397)
    assert found["evidence"]["total"] >= 90
    innocent = verdict(*answer_all(key, lab.null(0).service.running(), tmp_path))
    assert (innocent["verdict"], innocent["claim"]) == ("absent", "refused")
