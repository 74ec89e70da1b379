"""Every reader of files against files that were spoilt: it gives an object or a BenchError, soon and in little memory.

    python tests/hostile/fuzz.py --inputs 100000 [--only run.json] [--seed 1]

tests/hostile/test_fuzz.py does the same with fewer inputs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import torch
from beside_pages import beside_pages
from mutations import Reader, Spoil, bytes_like, json_like, tensors_like, toml_like
from small_boards import board_files, small_board

from benchmark.app import bundle_form as bundle
from benchmark.app import openings, standalone_files
from benchmark.app.card import CARD, Card, CardProfile, CardScheme, CardUtility, read_card, write_card
from benchmark.app.standalone_files import ArtefactFile
from benchmark.app.verify.http_suspect import HttpSuspect
from benchmark.app.verify.questions import MANIFEST, TABLE, Questionnaire, read_sheet
from benchmark.architectures.net import Net, build
from benchmark.data import array_files
from benchmark.data.tasks import find_task
from benchmark.errors import BenchError
from benchmark.planning.profile import PROFILES, load_profile
from benchmark.planning.reproduction import REPRODUCTIONS, read_reproduction
from benchmark.plugins.registry import Registry, load
from benchmark.protocol.objects import Service
from benchmark.store import artefacts
from leaderboard.analysis.error_rates import calibrate
from leaderboard.judge.board import judge
from leaderboard.judge.run import read_run
from leaderboard.pages.cell_facts import describe_cell
from leaderboard.pages.export import page_makers
from leaderboard.pages.studies.calibration_page import as_json, calibration_page
from schemes.passport_key import message_bits, read_config

MOST_SECONDS, MOST_MB = 1.0, 200.0


def readers(folder: Path) -> dict[str, Reader]:
    """Every reader by name; what it needs beside its own files is written into `folder`."""
    boards = {name: small_board(name) for name in ("reproduce-adi-small", "denoise", "calibrate")}
    run, records = boards["reproduce-adi-small"]
    profile, claims = (PROFILES / "quick.toml").read_bytes(), (REPRODUCTIONS / "adi.toml").read_bytes()
    return {
        "run.json": Reader(read_run, board_files(run, records)),
        "run.json.gz": Reader(
            read_run, {"run.json.gz": (gzip.compress(run, mtime=0), bytes_like), "records.jsonl": (records, None)}
        ),
        "profile": Reader(lambda at: load_profile(str(at / "a.toml")), {"a.toml": (profile, toml_like)}),
        "claims": Reader(lambda at: read_reproduction(at / "a.toml"), {"a.toml": (claims, toml_like)}),
        **_bundles(run, records),
        **_single_files(folder),
        **beside_pages(folder, run, records),
        **{f"judge {name}": Reader(judged, board_files(*both)) for name, both in boards.items()},
        **{f"pages {name}": Reader(pages, board_files(*both)) for name, both in boards.items()},
    }


def _bundles(run: bytes, records: bytes) -> dict[str, Reader]:
    """The manifest of a bundle, which seals its files, and what is read after it was found to fit."""
    told = json.loads(run)
    one = json.dumps({**told, "cells": told["cells"][:1]}).encode()
    form = {"schema": bundle.BUNDLE_SCHEMA, "left_out": {}, "courts": {"0 court adi digits": "ab" * 32}}
    left_out, row = bundle.write_json(form), bundle.write_json({**form, "row": "prune"})
    files = {"run.json": one, "records.jsonl": records, bundle.BUNDLE: left_out}
    sealed = bundle.write_json(asdict(bundle.seal({name: sha256(data).hexdigest() for name, data in files.items()})))
    fixed = {name: (data, None) for name, data in files.items()}
    return {
        "manifest": Reader(bundle.check_files, {bundle.MANIFEST: (sealed, json_like), **fixed}),
        "bundle": Reader(bundle.read_bundle, {**board_files(run, records), bundle.BUNDLE: (row, json_like)}),
    }


def _single_files(folder: Path) -> dict[str, Reader]:
    """A card, openings, a model, a key, and answers of a suspect: those in writing, and those of an address."""
    registry = Registry.discover(())
    adi = registry.find("scheme", "adi")
    scheme: Any = load(adi)(n=4)
    key = scheme.trigger_key(torch.arange(1024).remainder(251).to(torch.uint8).view(4, 1, 16, 16), b"s" * 32, 10)
    openings.write(folder / "opened.json", shown := openings.opened(scheme, key, [1, 3]))
    spec = {"builder": "convnet", "classes": 10, "mean": [0.5], "std": [0.25], "widths": [2, 3, 4], "norm": "batch"}
    artefacts.write(folder / "model", "ab" * 32, Service(Net.of(build(spec)), (Net.of(build(spec)),)))
    artefacts.write(folder / "key", "ab" * 32, key)
    trained = CardProfile("quick", {"task": "digits"}, 16)
    write_card(
        folder,
        Card(
            CardScheme("adi", "adi", {"n": 4}, "ab"), trained, "ab", CardUtility(0.9, "points"), {"model": "ab"}, "ab"
        ),
    )

    files = {f"{'ab' * 6}-{role}-{side}.npy": "cd" * 32 for role in ("owner", "test") for side in "xy"}
    arrays = array_files.Description(find_task("digits").declaration(), "ab" * 32, "", files)
    asked = asdict(Questionnaire("ab" * 32, "digits", "ab", ("cd" * 32, "ef" * 32)))
    http_file = HttpSuspect("http://host/", folder, "ab", find_task("digits"), 1.0).path

    def file(name: str, spoil: Spoil) -> dict[str, tuple[bytes, Spoil | None]]:
        return {name: ((folder / name).read_bytes(), spoil)}

    return {
        "card": Reader(read_card, file(CARD, json_like)),
        "openings": Reader(
            lambda at: openings.verify(at / "opened.json", shown.commitments_root), file("opened.json", json_like)
        ),
        "model": Reader(
            lambda at: standalone_files.open_service(at / "model", adi, registry), file("model", tensors_like)
        ),
        "answers": Reader(
            lambda at: read_sheet(at / TABLE, ArtefactFile(at / "key", "ab" * 32, "", ""), find_task("digits")),
            {TABLE: (b"image,label\n1.png,3\n2.png,4\n", bytes_like), MANIFEST: (bundle.write_json(asked), json_like)},
        ),
        "kept answers": Reader(
            lambda at: HttpSuspect("http://host/", at, "ab", find_task("digits"), 1.0).__enter__().__exit__(),
            {http_file.name: (b'{"image": "ab", "answer": 3, "day": "2026-11-27"}\n' * 3, bytes_like)},
        ),
        "key": Reader(lambda at: standalone_files.open_key(at / "key", scheme, registry), file("key", tensors_like)),
        "passport config": Reader(
            _passport_layers, {"a.toml": (b'"blocks.0" = true\nblocks.1 = "me"\n[blocks.2]\nconv = false\n', toml_like)}
        ),
        "prepared data": Reader(_prepared, {"reader.json": (json.dumps(asdict(arrays)).encode(), json_like)}),
    }


def _passport_layers(folder: Path) -> None:
    try:
        for text in read_config(str(folder / "a.toml")).values():
            message_bits(text or "x", 10**6)
    except ValueError as error:
        if type(error) is not ValueError:
            raise
        raise BenchError(str(error)) from error  # as `bench embed` says it


def _prepared(folder: Path) -> None:
    found = array_files.Shelf((folder,), "reader").find()
    for name, digest in found[1].files.items() if found else ():
        with suppress(array_files.DamagedArray):
            array_files.check(folder / name, digest)


def judged(folder: Path) -> object:
    """A published run's board, or what a calibration found."""
    run = read_run(folder)
    return calibrate(run) if run.description.calibration else judge(run)


def pages(folder: Path) -> None:
    """Every page of a published run, and what `bench show` says of each cell."""
    run = read_run(folder)
    if run.description.calibration:
        found = calibrate(run)
        calibration_page(run, found).encode()
        json.dumps(as_json(found))
        return
    board = judge(run)
    for make in page_makers(board).values():
        make().encode()
    for cell in board.cells:
        describe_cell(board, cell).encode()


def put(path: Path, data: bytes) -> None:
    """A new file in place of the old one: ext4 waits for the disk where a file is cut short and written anew."""
    path.unlink()
    path.write_bytes(data)


def wrongs(name: str, reader: Reader, inputs: int, seed: int, folder: Path, keep: Path | None = None) -> list[str]:
    """What `reader` did wrong with so many spoilt files: another exception, or too much time or memory."""
    found, rng = [], Random(f"{seed} {name}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for file, (data, _) in reader.files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
    reader.read(folder)  # what is good can be read
    for number in range(inputs):
        file, data, spoil = rng.choice([(file, data, how) for file, (data, how) in reader.files.items() if how])
        put(folder / file, spoilt := spoil(data, rng))
        begun, wrong = time.process_time(), ""
        try:
            reader.read(folder)
        except BenchError as error:
            wrong = "a sentence of more than 1000 signs" if len(str(error)) > 1000 else ""
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            wrong = f"{type(error).__name__}: {str(error)[:100]} ({Path(at.filename).name}:{at.lineno})"
        took = time.process_time() - begun
        if wrong or took > MOST_SECONDS:
            found.append(f"{name} {number}: {wrong or f'{took:.1f} s'}")
            if keep:
                (keep / f"{name}-{number}-{Path(file).name}").write_bytes(spoilt)
        put(folder / file, data)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return [*found, *([f"{name}: {grown:.0f} MB more memory"] if grown > MOST_MB else [])]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--inputs", type=int, default=2000)
    options.add_argument("--only", default="")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--keep", type=Path, help="folder for the files that were read wrongly")
    given, failed = options.parse_args(), 0
    with tempfile.TemporaryDirectory() as place:
        for name, reader in readers(Path(place)).items():
            if given.only not in name:
                continue
            (folder := Path(place) / "readers" / name).mkdir(parents=True)
            begun = time.monotonic()
            found = wrongs(name, reader, given.inputs, given.seed, folder, given.keep)
            failed += len(found)
            kinds = Counter(re.sub(r"^.*? \d+: ", "", one) for one in found)
            print(f"{name}: {len(found)} of {given.inputs} wrong in {time.monotonic() - begun:.0f} s", flush=True)
            for kind, times in kinds.most_common(40):
                print(f"  {times} x {kind}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
