"""Innocent models before the courts that see answers: how often is one accused, in whatever form it is asked?

`python tests/benchmark/app/verify/innocents.py --nets 100 --out docs/innocents.jsonl`. Each is a digit net that was
trained by the quick profile's recipe without any mark, and has a fresh key of each scheme. It is asked in one form, in
turn; the first seven in all forms before the courts of adi and rose. answers.csv and the address hold what its ONNX
export answers (`by`; records without it are older: there it was the net itself). Records that are there stay.
Keys of adi, rose and content are drawn for it; one of keynet is a head that was trained with a marked net, of which
there are five, and a secret that is drawn for it, as the court draws those that it compares with. `--page` writes the
table of docs/statistics.md from the records.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

sys.path.extend(str(Path(__file__).parents[4] / room) for room in (".", "tests", "tests/support"))
sys.path.append(str(Path(__file__).parent))

import torch
from bench import bench_here
from lab import Exhibit, Lab
from suspect_forms import Server, answer_all, save, written

from benchmark.execution.processes.foreign_models import foreign_model
from benchmark.plugins.registry import Registry, load
from benchmark.plugins.selection import one_scheme
from leaderboard.stats.tails import clopper_pearson_upper

ROOT = Path(__file__).parents[4]
RECORDS, PAGE = ROOT / "docs" / "innocents.jsonl", ROOT / "docs" / "statistics.md"
FORMS = ("onnx", "pt2", "pt", "answers", "address")
WRITTEN_OR_SENT, SERVED = ("answers", "address"), "onnx"  # forms that give answers alone, and whose: of this export
# one after the other; the last two, which are compared with 16 unmarked nets each time, net by net
GROUPS = ("adi",), ("rose",), ("content(labels=secret)",), ("content", "keynet")
SCHEMES = tuple(scheme for group in GROUPS for scheme in group)
CLOSED = SCHEMES[:3]  # the laws of whose fresh keys are in closed form; of the others 16 unmarked nets decide
IN_ALL = ("adi", "rose")  # of these the first nets are asked in all forms; else one form a net, in turn
FULLY = 7
FIRST, HEADS = 10_000, 5  # seed of the first innocent, far from those of any unmarked net of the benchmark
BEGIN, END = "<!-- innocents: made by tests/benchmark/app/verify/innocents.py --page -->", "<!-- end of innocents -->"
LOW = -1.30103  # log10 of 0.05
SAID = {"onnx": "ONNX", "pt2": "exported program", "pt": "TorchScript", "answers": "answers.csv", "address": "address"}


def fresh_key(lab: Lab, scheme: Any, number: int) -> Any:
    """A key that was drawn without knowing the innocent."""
    rng = torch.Generator().manual_seed(FIRST + number)
    if not hasattr(scheme, "with_head"):
        return scheme.keygen(lab.owner(scheme), rng)
    secret = bytes(torch.randint(256, (32,), generator=rng, dtype=torch.uint8).tolist())
    return scheme.rebind(lab.embed(scheme, number % HEADS).key, secret)


def asked(owner: Path, innocent: Exhibit, form: str, folder: Path) -> dict[str, Any]:
    """The verdict of `bench verify --json` on an innocent in this form."""
    key = ("--key", str(owner), "--device", "cpu")
    exported = SERVED if form in WRITTEN_OR_SENT else form
    file = str(save(innocent.service.net.module().eval(), folder / f"model.{exported}"))
    if form not in WRITTEN_OR_SENT:
        return verdict(*key, "--suspect", file)
    net = foreign_model(SERVED, file, str(folder), 10, torch.device("cpu"))
    if form == "answers":
        return verdict(*key, *answer_all(key, net, folder))
    with Server(net, shares=True) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = verdict(*key, "--suspect", server.url, "--rate", "10000")
        server.shutdown()
    return found


def verdict(*words: str) -> dict[str, Any]:
    code, output, error = bench_here("verify", "--json", *words)
    assert code == 0, error
    found: dict[str, Any] = json.loads(output)
    return found


def records(nets: range, there: set[tuple[int, str, str]]) -> Iterator[dict[str, Any]]:
    """A record of each innocent, scheme and form that is not there."""
    lab, registry = Lab(), Registry.discover()
    for group in GROUPS:
        for number, label in product(nets, group):
            forms = FORMS if label in IN_ALL and number < FULLY else [FORMS[number % len(FORMS)]]
            if not (missing := [form for form in forms if (number, label, form) not in there]):
                continue
            innocent, setting = lab.null(FIRST + number), one_scheme(label, registry)
            scheme = load(setting.stages[0].declaration)(**setting.stages[0].parameters)
            with tempfile.TemporaryDirectory() as folder:
                key = fresh_key(lab, scheme, number)
                owner = written(Path(folder, "owner"), label, lab.null(0).service, key, lab.context)
                for form in missing:
                    Path(folder, form).mkdir()
                    begun = time.monotonic()
                    found = asked(owner, innocent, form, Path(folder, form))
                    seen = found["evidence"]
                    yield {
                        "net": number, "scheme": label, "form": form, "verdict": found["verdict"],
                        "hits": seen["total"], "of": seen["n"], "log10_p": round(seen["log10_p"], 3),
                        "nulls": found["nulls"], "asked": found["asked"],
                        "accuracy": round(found["utility"]["value"], 4), "seconds": round(time.monotonic() - begun, 1),
                    } | ({"by": SERVED} if form in WRITTEN_OR_SENT else {})  # fmt: skip


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def table(found: list[dict[str, Any]]) -> str:
    """By scheme: how many innocents were asked in which form, how many are accused, and the rate that stays possible.

    Asked in several forms, an innocent counts once, by what accuses it most, and is unclear where one verdict is.
    """
    head = ["scheme", "innocents", *SAID.values(), "accused", "95 % bound", "unclear", "p up to 0.05"]
    rows = [head, ["---"] + ["--:"] * (len(head) - 1)]
    every: list[bool] = []
    for scheme in SCHEMES:
        those = [one for one in found if one["scheme"] == scheme]
        nets = sorted({one["net"] for one in those})
        words = [{one["verdict"] for one in those if one["net"] == net} for net in nets]
        accused, unclear = ["present" in said for said in words], sum("unclear" in said for said in words)
        low = [any(one["log10_p"] <= LOW for one in those if one["net"] == net) for net in nets]
        forms = [str(sum(one["form"] == form for one in those)) for form in FORMS]
        every += accused if scheme in CLOSED else []
        if nets:
            told = [str(sum(accused)), _bound(accused), str(unclear), str(sum(low))]
            rows.append([f"`{scheme}`", str(len(nets)), *forms, *told])
    open_ = sum(one["verdict"] == "unclear" for one in found)
    closed = Counter((one["scheme"], one["net"]) for one in found if one["scheme"] in CLOSED)
    whole = sum(number == len(FORMS) for number in closed.values())
    alone = [one for one in found if one["form"] in WRITTEN_OR_SENT]
    house = sum(one.get("by") is None for one in alone)
    text = (
        f"Of {len(every)} pairs of an innocent net and a fresh key whose law is in closed form (the first "
        f"{len(CLOSED)} rows)\n{sum(every)} are accused: at most {_bound(every)} (one-sided 95 %). "
        f"{whole} of them were asked in all {len(FORMS)} forms, nearly all others in\none. "
        f"How many were asked in which form, {len(found)} verdicts, {open_} of them unclear; "
        f"{house} of the {len(alone)} by answers.csv or an\naddress are of answers that the net gave here, "
        "before any export:"
    )
    return f"{text}\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _bound(accused: list[bool]) -> str:
    return f"{100 * clopper_pearson_upper(sum(accused), len(accused)):.2g} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RECORDS)
    parser.add_argument("--page", action="store_true", help="write the table of docs/statistics.md")
    given = parser.parse_args()
    given.out = given.out.absolute()
    if given.nets:
        there = {(one["net"], one["scheme"], one["form"]) for one in read(given.out)}
        work = Path(tempfile.gettempdir()) / "innocents"  # its results/ keeps the unmarked nets
        work.mkdir(exist_ok=True)
        os.chdir(work)
        with given.out.open("a") as file:
            for one in records(range(given.nets), there):
                file.write(json.dumps(one) + "\n")
                file.flush()
    if given.page:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{table(read(given.out))}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
