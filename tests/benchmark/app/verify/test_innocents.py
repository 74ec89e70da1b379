"""The count of innocents: its table is that of its records, and one of them asked anew in every form."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import innocents


def test_the_table_is_made_from_the_records() -> None:
    said = innocents.PAGE.read_text().split(innocents.BEGIN)[1].split(innocents.END)[0]
    assert said.strip() == innocents.table(innocents.read(innocents.RECORDS)).strip()


def test_a_pair_is_accused_once_however_often_it_was_asked() -> None:
    one = {"net": 0, "scheme": "adi", "verdict": "absent", "log10_p": -0.1}
    innocent = [one | {"form": form} for form in ("onnx", "pt")]
    assert "rows)\n0 are accused: at most" in innocents.table(innocent)
    shown = innocents.table([*innocent, one | {"form": "pt2", "verdict": "present", "log10_p": -4.0}])
    assert "rows)\n1 are accused: at most 1e+02 %" in shown
    assert "| `adi` | 1 | 1 | 1 | 1 | 0 | 0 | 1 | 1e+02 % | 0 | 1 |" in shown


def test_unclear_verdicts_are_told_and_only_laws_in_closed_form_are_pooled() -> None:
    adi = [{"net": 0, "scheme": "adi", "form": form, "verdict": "unclear", "log10_p": -0.9} for form in ("onnx", "pt")]
    keynet = {"net": 0, "scheme": "keynet", "form": "pt", "verdict": "absent", "log10_p": -0.1}
    shown = innocents.table([*adi, keynet])
    assert "Of 1 pairs " in shown
    assert "3 verdicts, 2 of them unclear;" in shown
    assert "| `adi` | 1 | 1 | 0 | 1 | 0 | 0 | 0 | 95 % | 1 | 0 |" in shown


def test_an_innocent_is_absent_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("onnxruntime")
    others = {(0, scheme, form) for scheme in innocents.SCHEMES[1:] for form in innocents.FORMS}
    found = list(innocents.records(range(1), others))
    assert {one["form"] for one in found} == {*innocents.FORMS}
    assert {one["verdict"] for one in found} == {"absent"}
    assert len({one["hits"] for one in found}) == 1
    assert {one["form"] for one in found if "by" in one} == {"answers", "address"}


def test_the_text_says_what_was_asked_in_every_form_and_of_which_net() -> None:
    one = {"net": 0, "scheme": "adi", "verdict": "absent", "log10_p": -0.1}
    whole = [one | {"form": form} for form in innocents.FORMS]
    keynet = [one | {"scheme": "keynet", "form": form} for form in innocents.FORMS]  # of no law in closed form
    shown = innocents.table([*whole, *keynet, one | {"net": 1, "form": "address", "by": "onnx"}])
    assert "1 of them were asked in all 5 forms" in shown
    assert "4 of the 5 by answers.csv" in shown
