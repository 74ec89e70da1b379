"""The practitioner's commands: a model and a key made by `bench embed`, examined by `bench verify`, with no matrix."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from bench import PROFILE, SCHEME, bench, bench_here, records, stamps

SETTING = ("--profile", str(PROFILE), "--device", "cpu")


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders, one and two: independent owners' models, keys and cards."""
    folder = tmp_path_factory.mktemp("marked")
    for name, seed in (("one", "11"), ("two", "12")):
        assert bench_here("embed", "--scheme", SCHEME, "--out", str(folder / name), "--seed", seed, *SETTING)[0] == 0
    return folder


@pytest.fixture
def own(marked: Path, tmp_path: Path) -> Path:
    """A copy of the first, to change at will."""
    return shutil.copytree(marked / "one", tmp_path / "own")


def words_of(results: Path, model: Path, key: Path, *options: str, scheme: str = SCHEME) -> tuple[str, ...]:
    files = ("--model", str(model), "--key", str(key), "--results", str(results))
    return "verify", "--scheme", scheme, *files, *SETTING, *options


def found(results: Path, model: Path, key: Path, *options: str, scheme: str = SCHEME) -> dict[str, Any]:
    code, output, error = bench_here(*words_of(results, model, key, "--json", *options, scheme=scheme))
    assert code == 0, error
    seen: dict[str, Any] = json.loads(output)
    return seen


def null_file(results: Path, index: int) -> Path:
    """The service of one of the run's unmarked models."""
    (id,) = (id for id, one in records(results).items() if one["kind"] == "null" and one["job"]["index"] == index)
    return results / "store" / "artefacts" / id[:2] / f"{id}.service.safetensors"


def test_the_own_model_is_present_and_the_nulls_of_the_store_serve(finished: Path, marked: Path) -> None:
    before = stamps(finished)
    seen = found(finished, marked / "one" / "model.safetensors", marked / "one" / "key.safetensors")
    assert stamps(finished) == before
    assert (seen["verdict"], seen["claim"], seen["nulls"]) == ("present", "accepted", 16)
    assert seen["evidence"]["log10_p"] <= -3
    assert seen["evidence"]["log10_p_key"] < -20
    assert seen["admission"] == {
        "well_formed": True, "bound": True, "hash_bound": True, "committed": True, "reason": None,
    }  # fmt: skip
    without = seen["without_commitment"]
    assert without["log10_p"] >= seen["evidence"]["log10_p"]


def test_the_text_says_what_the_json_says(finished: Path, marked: Path) -> None:
    words = words_of(finished, marked / "one" / "model.safetensors", marked / "one" / "key.safetensors")
    code, output, error = bench_here(*words)
    assert code == 0, error
    said = " ".join(output.split())  # the width of the first column is the writer's own
    for part in ("verdict present, at alpha 0.001", "p_key", "p_null", "16 models", "admissible", "accepted"):
        assert part in said


def test_an_innocent_model_is_absent(finished: Path, marked: Path) -> None:
    seen = found(finished, null_file(finished, 16), marked / "one" / "key.safetensors")
    assert (seen["verdict"], seen["claim"], seen["nulls"]) == ("absent", "refused", 16)


def test_a_null_is_not_compared_with_itself(finished: Path, marked: Path) -> None:
    seen = found(finished, null_file(finished, 3), marked / "one" / "key.safetensors")
    assert (seen["verdict"], seen["nulls"], seen["nulls_left_out"]) == ("absent", 15, 1)


def test_a_wrong_key_is_absent(finished: Path, marked: Path) -> None:
    seen = found(finished, marked / "one" / "model.safetensors", marked / "two" / "key.safetensors")
    assert (seen["verdict"], seen["claim"]) == ("absent", "refused")


def test_a_key_of_other_parameters_is_inadmissible(finished: Path, own: Path) -> None:
    seen = found(finished, own / "model.safetensors", own / "key.safetensors", scheme="adi(n=50,k=16,epochs=8)")
    assert seen["claim"] == "inadmissible"
    assert "not (50, C, H, W)" in seen["claim_reason"]
    assert "was asked for" in seen["notes"][0]


def test_labels_set_to_the_models_own_answers_prove_nothing(finished: Path, own: Path) -> None:
    """A key made to fit: every trigger is a hit, and the verdict is that it is no key."""
    from dataclasses import replace

    from benchmark.contract import as_float
    from benchmark.store import artefacts
    from schemes.adi import AdiKey

    path, innocent = own / "key.safetensors", null_file(finished, 16)
    (own / "card.json").unlink()
    job = artefacts_job(path)
    key = artefacts.read_key(path, job, digest(path), AdiKey)
    assert isinstance(key, AdiKey)
    service = artefacts.read_service(innocent, artefacts_job(innocent), digest(innocent))
    answers = service.running(key.images.device).ask(as_float(key.images), "outputs").argmax(1)
    artefacts.write(path, job, replace(key, labels=answers))
    seen = found(finished, innocent, path)
    assert (seen["verdict"], seen["claim"], seen["without_commitment"]["verdict"]) == ("inadmissible",) * 3
    assert "do not follow from the secret" in seen["reason"]
    assert seen["evidence"] is None
    assert seen["without_commitment"]["log10_p"] is None
    code, output, error = bench_here(*words_of(finished, innocent, path))
    assert code == 0, error
    assert "verdict       inadmissible (the labels do not follow from the secret)" in output
    for word in ("present", "absent", "exact", "bits", "rarity", "p_key", "accepted", "refused"):
        assert word not in output, word


def artefacts_job(path: Path) -> str:
    from benchmark.app.standalone_files import peek

    return peek(path).job


def digest(path: Path) -> str:
    from benchmark.app.standalone_files import peek

    return peek(path).sha256


def test_a_key_at_which_the_scheme_fails_is_inadmissible(
    finished: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from schemes.adi import Adi

    def fails(*_: object) -> None:
        raise ValueError("a field has\nanother shape")

    monkeypatch.setattr(Adi, "admissible", fails)
    seen = found(finished, own / "model.safetensors", own / "key.safetensors")
    assert seen["verdict"] == "inadmissible"
    assert seen["reason"] == "ValueError: a field has another shape"


def test_without_a_card_nothing_is_committed(finished: Path, own: Path) -> None:
    (own / "card.json").unlink()
    seen = found(finished, own / "model.safetensors", own / "key.safetensors")
    assert seen["admission"]["committed"] is False
    assert seen["card"] is None


def test_alpha_moves_the_verdict(finished: Path, own: Path) -> None:
    key, model = own / "key.safetensors", own / "model.safetensors"
    assert found(finished, model, key, "--alpha", "1e-200")["verdict"] != "present"


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("key bytes", "key.safetensors is damaged or exchanged"),
        ("model bytes", "model.safetensors is damaged or exchanged"),
        ("header", "is no model and no key"),
        ("text", "is no model and no key"),
        ("missing", "is missing: give the folder that `bench embed` wrote"),
        ("swapped", "holds a model, not a key"),
        ("two models", "not a model"),
        ("card", "scheme, utility are missing: restore the card or move it away"),
        ("scheme", "holds a key of adi, not of rose: name its own with --scheme"),
        ("spec", "its model can't be rebuilt"),
        ("key field", "its key can't be read"),
        ("two settings", "names 2 settings"),
    ],
)
def test_wrong_files_are_one_sentence(finished: Path, own: Path, what: str, sentence: str) -> None:
    model, key, scheme = own / "model.safetensors", own / "key.safetensors", SCHEME
    if what == "key bytes":
        flip(key, -1)
    elif what == "model bytes":
        flip(model, -1)
    elif what == "card":
        (own / "card.json").write_text("{}")
    elif what == "scheme":
        scheme = "rose"
    elif what == "two settings":
        scheme = "adi,rose"
    elif what == "swapped":
        key = model
    elif what == "two models":
        model = key
    else:
        (own / "card.json").unlink()
        if what == "header":
            flip(key, 20)
        elif what == "text":
            key.write_text("not tensors")
        elif what == "missing":
            key.unlink()
        elif what == "spec":  # the same length, so that the file itself stays whole
            model.write_bytes(model.read_bytes().replace(b"convnet", b"konvnet"))
        elif what == "key field":
            key.write_bytes(key.read_bytes().replace(b"secret", b"sekret"))
    code, _, error = bench_here(*words_of(finished, model, key, scheme=scheme))
    assert code == 2
    assert sentence in error
    assert "\n" not in error


def test_a_key_is_never_overwritten_and_the_card_holds_no_secret(own: Path) -> None:
    before = (own / "key.safetensors").read_bytes()
    code, _, error = bench_here("embed", "--scheme", SCHEME, "--out", str(own), *SETTING)
    assert code == 2
    assert "already holds" in error
    assert (own / "key.safetensors").read_bytes() == before
    assert (own / "key.safetensors").stat().st_mode & 0o077 == 0
    card = (own / "card.json").read_text()
    header = before[8 : 8 + int.from_bytes(before[:8], "little")].decode()
    secret = json.loads(json.loads(header)["__metadata__"]["artefact"])["header"]["secret"]["bytes"]
    assert len(secret) == 64
    assert secret not in card
    assert "seed" not in card


def test_the_same_seed_makes_the_same_key_and_another_none_like_it(marked: Path, tmp_path: Path) -> None:
    done = bench("embed", "--scheme", SCHEME, "--out", str(tmp_path / "a"), "--seed", "11", "--json", *SETTING)
    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout)
    first, second = (json.loads((marked / name / "card.json").read_text()) for name in ("one", "two"))
    assert card == first
    assert first["commitment"] != second["commitment"]
    assert first["files"]["model.safetensors"] != second["files"]["model.safetensors"]


def test_the_model_is_there_in_forms_that_need_no_benchmark(marked: Path) -> None:
    import torch
    from safetensors.torch import load_file

    from benchmark.store import artefacts

    folder = marked / "one"
    path = folder / "model.safetensors"
    net = artefacts.read_service(path, artefacts_job(path), digest(path)).net.module()
    images = torch.rand(3, 1, 16, 16)
    with torch.no_grad():
        program = torch.export.load(folder / "model.pt2").module()
        assert torch.allclose(program(images), net(images), atol=1e-5)
    assert {name: one.shape for name, one in load_file(folder / "state_dict.safetensors").items()} == {
        name: one.shape for name, one in net.state_dict().items()
    }


def test_reading_commands_speak_json(finished: Path) -> None:
    where = ("--results", str(finished), "--run", "small")
    asked = {
        "describe": ("prune",), "status": where, "show": ("adi", "prune(amount=0.3)", *where),
        "doctor": where[:2], "list": (), "plan": ("--schemes", SCHEME, "--attacks", "prune", *SETTING, *where[:2]),
    }  # fmt: skip
    seen = {}
    for command, words in asked.items():
        code, output, error = bench_here(command, *words, "--json")
        assert code == 0, (command, error)
        seen[command] = json.loads(output)
    assert seen["describe"][0]["parameters"][0]["name"] == "amount"
    assert seen["status"]["complete"] is True
    assert seen["status"]["jobs"]["ok"] == len(records(finished))
    assert seen["show"][0]["verdict"]["word"] == "survived"
    assert all(finding["ok"] for finding in seen["doctor"])
    assert seen["plan"]["jobs"]["null"] == {"planned": 17, "finished": 17}


def test_report_speaks_json_and_compare_finds_a_run_like_itself(finished: Path, tmp_path: Path) -> None:
    results = shutil.copytree(finished, tmp_path / "results")
    code, output, error = bench_here("report", "--results", str(results), "--run", "small", "--json")
    assert code == 0, error
    board = json.loads(output)
    assert len(board["cells"]) == len(json.loads((results / "small" / "run.json").read_text())["cells"])
    code, output, error = bench_here("compare", str(finished / "small"), str(results / "small"), "--json")
    assert code == 0, error
    compared = json.loads(output)
    assert (compared["same"], compared["compared"], compared["tests"]) == (len(board["cells"]) - 1, 1, 0)
    assert compared["worse"] == compared["new"] == compared["gone"] == []
