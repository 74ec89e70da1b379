"""Commitments as a user meets them: on the card, opened and verified with `bench commitment`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench import PROFILE, SCHEME, bench_here
from PIL import Image

SETTING = ("--profile", str(PROFILE), "--device", "cpu")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An owner's folder, with items 3 and 17 of his key opened."""
    folder = tmp_path_factory.mktemp("own") / "adi"
    assert bench_here("embed", "--scheme", SCHEME, "--out", str(folder), "--seed", "11", *SETTING)[0] == 0
    assert opening(folder, "17,3")[0] == 0
    return folder


def opening(folder: Path, items: str, name: str = "opened.json", scheme: str = SCHEME) -> tuple[int, str, str]:
    key = str(folder / "key.safetensors")
    return bench_here(
        "commitment", "open", "--scheme", scheme, "--key", key, "--items", items, "--out", str(folder / name)
    )


def root(folder: Path) -> str:
    return str(json.loads((folder / "card.json").read_text())["public"]["commitments_root"])


def test_opened_items_are_those_of_the_published_card(own: Path) -> None:
    code, output, _ = bench_here("commitment", "verify", str(own / "opened.json"), "--root", root(own), "--json")
    found = json.loads(output)
    assert code == 0
    assert (found["opens"], found["reason"], found["items"], found["committed"]) == (True, None, 2, 40)
    assert 0 < found["even"] <= 1
    code, output, _ = bench_here("commitment", "verify", str(own / "opened.json"), "--root", root(own))
    assert (code, output.splitlines()[0]) == (0, "items         2 of 40 open")


def test_the_rest_of_the_key_stays_closed(own: Path) -> None:
    header = (own / "key.safetensors").read_bytes()
    header = header[8 : 8 + int.from_bytes(header[:8], "little")]
    secret = json.loads(json.loads(header)["__metadata__"]["artefact"])["header"]["secret"]["bytes"]
    text = (own / "opened.json").read_text()
    assert secret not in text
    assert [item["index"] for item in json.loads(text)["items"]] == [3, 17]


@pytest.mark.parametrize("change", ["label", "image", "index", "commitments", "root", "classes", "scheme", "schema"])
def test_an_item_that_was_not_committed_to_does_not_open(own: Path, tmp_path: Path, change: str) -> None:
    file = json.loads((own / "opened.json").read_text())
    item, published = file["items"][0], root(own)
    if change == "label":
        item["label"] = (item["label"] + 1) % 10
    elif change == "image":
        item["image"] = file["items"][1]["image"]
    elif change == "index":
        item["index"] = 4
    elif change == "commitments":
        file["commitments"][0] = "00" * 32
    elif change in ("classes", "scheme", "schema"):
        file[change] = {"classes": 9, "scheme": "rose", "schema": 1}[change]
    else:
        published = "00" * 32
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(file))
    code, output, _ = bench_here("commitment", "verify", str(path), "--root", published)
    assert code == 4
    assert "do not open" in output


def test_a_root_of_the_older_form_opens_and_is_called_so(own: Path, tmp_path: Path) -> None:
    """Until version 0.2 the root fixed images and labels alone; who published one can still open his items."""
    from benchmark.crypto.commitment import root_of

    file = json.loads((own / "opened.json").read_text())
    older = root_of(tuple(map(bytes.fromhex, file["commitments"]))).hex()
    for schema in (1, 2):
        (tmp_path / "old.json").write_text(json.dumps({**file, "schema": schema, "commitments_root": older}))
        code, output, _ = bench_here("commitment", "verify", str(tmp_path / "old.json"), "--root", older)
        assert (code, "2 of 40 open" in output, "fixes neither the scheme nor the classes" in output) == (0, True, True)
    code, output, _ = bench_here("commitment", "verify", str(own / "opened.json"), "--root", root(own))
    assert "older form" not in output


def test_what_can_not_be_opened_or_read_is_told_in_a_sentence(own: Path, tmp_path: Path) -> None:
    published = root(own)
    (tmp_path / "half.json").write_text((own / "opened.json").read_text()[:500])
    (tmp_path / "list.json").write_text("[]")
    whole = (own / "opened.json").read_text()
    (tmp_path / "typo.json").write_text(whole.replace('"label"', '"labels"', 1))
    small = json.loads(whole)
    small["items"][0]["shape"][2] -= 1
    (tmp_path / "small.json").write_text(json.dumps(small))
    cases = [
        (opening(own, "3,40", "x.json"), "item 40 can't be opened: there are items 0 to 39"),
        (opening(own, "three", "x.json"), "--items takes numbers"),
        (opening(own, "3"), "opened.json exists already: choose another --out"),
        (opening(own, "3", "x.json", "rose"), "holds a key of adi, not of rose: name its own with --scheme"),
        (bench_here("commitment", "verify", str(tmp_path / "half.json"), "--root", published), "is not valid JSON"),
        (
            bench_here("commitment", "verify", str(tmp_path / "list.json"), "--root", published),
            "must be a table, not []",
        ),
        (
            bench_here("commitment", "verify", str(tmp_path / "typo.json"), "--root", published),
            "items number 0: unknown key 'labels': did you mean label or label_salt?",
        ),
        (
            bench_here("commitment", "verify", str(tmp_path / "small.json"), "--root", published),
            "item 3 has 256 bytes, not those of shape [1, 16, 15]",
        ),
        *(
            (
                bench_here("commitment", "verify", str(own / "opened.json"), "--root", typed),
                "--root has 64 hexadecimal digits, as commitments_root in card.json, not ",
            )
            for typed in ("abcd", "zz", f"{published[:-1]}x", f"{published}00", f" {published[1:]}")
        ),
        (
            bench_here("commitment", "verify", str(own / "none.json"), "--root", published),
            "can't be read (No such file",
        ),
    ]
    for (code, _, error), sentence in cases:
        assert code == 2, sentence
        assert sentence in error
        assert len(error.splitlines()) == 1


@pytest.mark.parametrize("published", ["abcd", "zz", "z" * 64, "00 " * 32, "0" * 63, ""])
def test_a_root_of_another_form_accuses_nobody(own: Path, published: str) -> None:
    code, output, error = bench_here("commitment", "verify", str(own / "opened.json"), "--root", published)
    assert (code, output) == (2, "")
    assert "--root has 64 hexadecimal digits, as commitments_root in card.json" in error


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("few", "holds 39 pictures, and 40 are needed"),
        ("broken", "can't be read as a picture"),
        ("none", "there is no folder"),
    ],
)
def test_a_folder_that_gives_no_key_costs_one_sentence(tmp_path: Path, what: str, sentence: str) -> None:
    folder = tmp_path / "pictures"
    if what != "none":
        folder.mkdir()
        for number in range(39 if what == "few" else 40):
            Image.new("L", (16, 16), 5 * number).save(folder / f"{number}.png")
    if what == "broken":
        (folder / "8.png").write_bytes(b"")
    scheme = f"adi(n=40,folder='{folder}')"
    code, _, error = bench_here("embed", "--scheme", scheme, "--out", str(tmp_path / "out"), *SETTING)
    assert code == 2
    assert sentence in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_former_name_says_what_to_type_and_is_in_no_help() -> None:
    code, _, error = bench_here("open", "--scheme", "adi", "file.json", "--root", "00")
    assert (code, "type that" in error, "`bench commitment open`" in error) == (2, True, True)
    assert "\n  open " not in bench_here("--help")[1]
