"""Fresh keys in place of one: admissible, new in what follows from the secret and nowhere else, right by chance."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from scipy import stats

from benchmark.errors import NotApplicable
from benchmark.protocol.court import Court
from benchmark.protocol.parties import stream
from benchmark.protocol.steps import redrawn
from schemes.adi import Adi
from schemes.keynet import KeyNet
from schemes.passport import Passport
from schemes.rose import Rose

CASES = [
    (Adi(n=40), {"secret", "labels", "root"}),
    (Rose(), {"secret", "labels"}),
    (KeyNet(), {"secret", "signature"}),
    (Passport(), {"secret", "bits"}),
    (Passport(binding="passports"), {"secret", "bits"}),
]


def key_of(lab, scheme):
    return scheme.keygen(lab.owner(scheme), stream("key", scheme.name))


def equal(one, other) -> bool:
    if isinstance(one, tuple):
        return all(map(equal, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


@pytest.mark.parametrize(("scheme", "new"), CASES, ids=lambda value: getattr(value, "name", ""))
def test_only_what_follows_from_the_secret_is_new(lab, scheme, new) -> None:
    key = key_of(lab, scheme)
    fresh = scheme.redraw(key, stream("fresh"))
    changed = {f.name for f in fields(key) if not equal(getattr(key, f.name), getattr(fresh, f.name))}
    assert changed == new
    admission = scheme.admissible(fresh)
    assert admission.well_formed
    assert admission.bound


@pytest.mark.parametrize(
    ("scheme", "chance"), [(Adi(n=40), 0.1), (Rose(), 0.1), (Passport(), 0.5)], ids=lambda v: str(v)[:8]
)
def test_fresh_keys_hit_an_innocent_model_by_chance(lab, scheme, chance) -> None:
    """The total over many fresh keys is binomial at the law's rate, whatever the model answers."""
    key, rng = key_of(lab, scheme), stream("many")
    court = Court(lab.context, lab.splits.test.take(torch.arange(8)), stream("court"))
    suspect = lab.suspect(lab.null(0).service, scheme.court, court)
    seen, admitted = redrawn(scheme, key, suspect, court, rng, 100)
    assert (len(seen), admitted) == (100, 100)
    hits = "".join(one["channels"][one["evidence"]]["hits"] for one in seen)
    low, high = stats.binom.interval(0.999, len(hits), chance)
    assert low <= hits.count("1") <= high
    assert all(list(one["channels"]) == [one["evidence"]] and not one["gates"] for one in seen)


def test_free_bits_have_no_fresh_key(lab) -> None:
    scheme = Passport(binding="free")
    with pytest.raises(NotApplicable, match="free bits"):
        scheme.redraw(key_of(lab, scheme), stream("fresh"))
