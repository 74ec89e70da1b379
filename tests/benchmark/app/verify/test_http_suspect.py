"""A suspect behind an address, in all its moods: a server on this machine answers with the marked model."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from time import sleep, time
from typing import Any

import pytest
import torch
from bench import bench_here
from lab import Exhibit

from benchmark.app.verify import http_suspect

from .suspect_forms import Reply, Server


@pytest.fixture
def server(marked: Exhibit, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(http_suspect, "FIRST_PAUSE", 0.001)
    with Server(marked.service.running()) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def of(server: Server) -> tuple[str, ...]:
    return "--suspect", server.url, "--rate", "10000"


def test_an_address_is_judged_as_the_model_is_and_asked_once(
    owner: Path, server: Server, verify: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATERMARK_BENCH_TOKEN", "abc")
    own = verify("--suspect", str(owner / "model.safetensors"))
    code, output, said = bench_here("verify", "--key", str(owner), "--device", "cpu", "--json", *of(server))
    found = json.loads(output)
    assert (code, found["verdict"], found["evidence"]) == (0, "present", own["evidence"])
    assert (
        "adi asks 40 images by its key, among 160 of the judge's own, and all of them twice: 400 images in 20 requests"
        in said
    )
    assert (found["asked"], server.requests, server.headers["Authorization"]) == (400, 20, "Bearer abc")
    assert "takes 4 triggers of a mark that is whole, and 15 where half of it is left" in said
    assert verify(*of(server)) == found
    assert server.requests == 20  # every answer was kept


def test_probabilities_and_other_classes_are_understood(server: Server, verify: Callable[..., dict[str, Any]]) -> None:
    def shares(number: int, answer: dict[str, Any]) -> Reply:
        chosen = torch.nn.functional.one_hot(torch.tensor(answer["labels"]), 10) * 0.9 + 0.01
        return 200, {"probabilities": chosen.tolist()}

    server.mood = shares
    found = verify(*of(server))
    assert (found["verdict"], found["evidence"]["total"], found["asked"]) == ("present", 40, 400)


def test_a_busy_broken_or_silent_server_is_asked_again(
    server: Server, verify: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_suspect, "TIMEOUT", 1.5)
    trouble: dict[int, Any] = {1: 429, 2: 503, 4: 500, 6: 429}

    def mood(number: int, answer: dict[str, Any]) -> Reply:
        if number == 8:
            sleep(2.5)  # longer than anybody waits
        return (trouble[number], b"busy") if number in trouble else (200, answer)

    server.mood = mood
    found = verify(*of(server))
    assert (found["verdict"], found["evidence"]["total"]) == ("present", 40)
    assert server.requests >= 20 + 5


@pytest.mark.parametrize("status", [200, 404])
def test_a_server_that_drips_is_not_waited_for(
    server: Server, owner: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Each byte comes in time, so that no single read of the socket ever takes long; the whole answer never comes."""
    from benchmark.data.tasks import find_task
    from benchmark.errors import BenchError

    monkeypatch.setattr(http_suspect, "TIMEOUT", 0.5)
    server.drip, server.mood = 0.1, lambda number, answer: (status, answer)
    began = time()
    suspect = http_suspect.HttpSuspect(server.url, owner, "key", find_task("digits"), 1e9)
    with suspect, pytest.raises(BenchError) as error:
        suspect.ask(torch.rand(5, 1, 16, 16), "outputs")
    assert "answered not at all (no whole answer within 0.5 s), 6 times in a row" in str(error.value)
    assert (server.requests, time() - began < 20) == (6, True)


def test_an_address_that_answers_in_another_form_the_next_day_names_the_file_to_delete(
    server: Server, owner: Path
) -> None:
    from benchmark.data.tasks import find_task
    from benchmark.errors import BenchError

    def asked(count: int) -> torch.Tensor:
        with http_suspect.HttpSuspect(server.url, owner, "key", find_task("digits"), 1e9) as suspect:
            return suspect.ask(x[:count], "outputs")

    x = torch.rand(10, 1, 16, 16)
    asked(5)
    server.shares = True
    with pytest.raises(BenchError, match=r"in one form and others in another: .* delete (\S+jsonl), which") as error:
        asked(10)
    named = Path(str(error.value).split("delete ")[1].split(",")[0])
    named.unlink()
    assert asked(10).shape == (10, 10)


@pytest.mark.parametrize(("said", "waited"), [("7", 7.0), ("600", 120.0), ("soon", 0.001), ("date", 40.0)])
def test_a_server_says_how_long_it_wants_to_rest(
    server: Server, owner: Path, monkeypatch: pytest.MonkeyPatch, said: str, waited: float
) -> None:
    from benchmark.data.tasks import find_task

    paused: list[float] = []
    monkeypatch.setattr(http_suspect.time, "sleep", paused.append)
    server.rest = formatdate(time() + 41, usegmt=True) if said == "date" else said
    server.mood = lambda number, answer: (429, b"") if number == 1 else (200, answer)
    with http_suspect.HttpSuspect(server.url, owner, "key", find_task("digits"), 1e9) as suspect:
        suspect.ask(torch.rand(20, 1, 16, 16), "outputs")
    assert server.requests == 2
    assert paused[1] == pytest.approx(waited, abs=1.5)


def test_a_command_that_was_stopped_goes_on_where_it_stopped(
    owner: Path, server: Server, refused: Callable[..., str], verify: Callable[..., dict[str, Any]]
) -> None:
    server.mood = lambda number, answer: (200, answer) if number <= 7 else (500, b"")
    error = refused(*of(server))
    assert "answered with 500 Internal Server Error, 6 times in a row: 140 answers are kept in" in error
    (kept,) = owner.glob("asked-*.jsonl")
    with kept.open("a") as file:
        file.write('{"image": "half a li')  # it was killed while it wrote
    server.requests, server.mood = 0, lambda number, answer: (200, answer)
    assert verify(*of(server))["verdict"] == "present"
    assert server.requests == 20 - 7
    server.server_close()
    assert verify(*of(server))["verdict"] == "present"  # nobody needs to be asked any more
    kept.write_text(kept.read_text().replace('"answer": ', '"answer": -1', 1))
    assert "line 1 is no answer that was kept: delete the file to ask anew" in refused(*of(server))


@pytest.mark.parametrize(("flips", "verdict"), [(20, "inconsistent"), (1, "present")])
def test_an_image_that_is_answered_in_two_ways_is_named(
    owner: Path, server: Server, verify: Callable[..., dict[str, Any]], flips: int, verdict: str
) -> None:
    first: dict[str, int] = {}
    left = [flips]

    def moody(number: int, answer: dict[str, Any]) -> Reply:
        for place, image in enumerate(server.images):
            again = image in first and number > 10  # the court asks its own images once more, among the key's
            if again and left[0]:
                answer["labels"][place] = (first[image] + 1) % 10
                left[0] -= 1
            first.setdefault(image, answer["labels"][place])
        return 200, answer

    server.mood = moody
    found = verify(*of(server))
    assert found["verdict"] == verdict
    (note,) = [one for one in found["notes"] if "got another class when they were asked again" in one]
    image = note.split("SHA-256 ")[1].split(":")[0]
    (kept,) = owner.glob("asked-*.jsonl")
    answers = [json.loads(line)["answer"] for line in kept.read_text().splitlines() if image in line]
    assert len(set(answers)) == 2


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        ((404, b"no such model"), "answers with 404 Not Found (no such model)"),
        ((302, b""), "answers with 302 Found"),
        ((410, b"it breaks off"), "answers with 410 Gone: 0 answers are kept"),
        ((401, b""), "answers with 401 Unauthorized: 0 answers are kept"),
        ((200, b"<html>"), 'is not {"labels": [...]}'),
        ((200, {"labels": [1], "probabilities": [[1.0, 0.0]]}), 'is not {"labels": [...]}'),
        ((200, {"labels": [1, 2]}), "answers 20 images with 2 answers"),
        ((200, {"labels": [-1] * 20}), "answers with -1, which is no class number"),
        ((200, {"labels": ["seven"] * 20}), "answers with seven, which is no class number"),
        ((200, {"probabilities": [[0.4, 0.4]] * 20}), "no list of probabilities"),
        ((200, b'{"probabilities": [[NaN, 1]]}'), 'is not {"labels": [...]}'),
    ],
)
def test_nonsense_is_one_sentence(server: Server, refused: Callable[..., str], reply: Reply, sentence: str) -> None:
    server.mood = lambda number, answer: reply
    assert sentence in refused(*of(server))
    assert server.requests == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/", "http://[::1/", "http://127.0.0.1/müller"])
def test_an_address_that_is_none_is_one_sentence(refused: Callable[..., str], url: str) -> None:
    assert "is no address that can be asked" in refused("--suspect", url)


def test_nobody_there_is_one_sentence(server: Server, refused: Callable[..., str]) -> None:
    server.server_close()
    error = refused(*of(server))
    assert "answered not at all (" in error
    assert "the same command goes on from there" in error


def test_a_rate_is_kept(server: Server, marked: Exhibit, owner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.data.tasks import find_task

    paused: list[float] = []
    monkeypatch.setattr(http_suspect.time, "sleep", paused.append)
    with http_suspect.HttpSuspect(server.url, owner, "key", find_task("digits"), 2.0) as suspect:
        suspect.ask(torch.rand(60, 1, 16, 16), "outputs")
    assert server.requests == 3
    assert paused[0] == 0
    assert all(0.3 < one <= 0.5 for one in paused[1:])
