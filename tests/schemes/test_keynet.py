"""KeyNet's marks: read where the owner signed, admissible, and nowhere else."""

from dataclasses import replace

import pytest
import torch

from benchmark.contract import CarrierScheme, OverwriteScheme, Unreadable
from benchmark.protocol.parties import stream
from schemes.keynet import KeyNet

from .keynet_court import LABELS, SCHEME, OnlyLabels, court, hits, only_one_question, others

FINETUNED = KeyNet(mode="finetune")


@pytest.fixture
def key(lab):
    return SCHEME.keygen(lab.owner(SCHEME), stream("test-keynet"))


@pytest.mark.parametrize("scheme", [SCHEME, FINETUNED], ids=lambda scheme: scheme.mode)
def test_the_owner_is_read_where_he_signed_and_nobody_else_is(lab, scheme):
    marked = lab.embed(scheme)
    seen = lab.observe(scheme, marked)
    assert hits(seen) >= 0.95 * 300
    assert hits(seen, "unsigned") > 0.95 * 300
    assert hits(seen, "wrongly_signed") > 0.95 * 300
    assert sum(others(seen)) < 0.05 * 19 * 300
    assert marked.accuracy >= lab.null(100).accuracy - 0.03


@pytest.mark.parametrize("scheme", [SCHEME, FINETUNED], ids=lambda scheme: scheme.mode)
def test_unmarked_nets_answer_unsigned(lab, scheme, record_property):
    key = lab.embed(scheme).key
    rates = [hits(lab.observe(scheme, lab.null(index), key)) / 300 for index in range(8)]
    record_property("signed challenges read in unmarked nets", rates)
    assert max(rates) < 0.45  # ten heads on 80 such nets: .41 at most


def test_without_probabilities_the_head_sees_less(lab, monkeypatch):
    """The most likely class alone sets some places apart: weaker evidence, and only where the court says so."""
    only_one_question(monkeypatch)
    marked = lab.embed(SCHEME)
    bare = LABELS.observe(lab.suspect(marked.service, "labels", court(lab)), marked.key, court(lab)).record()
    assert hits(bare) < 0.75 * hits(lab.observe(SCHEME, marked))
    suspect = OnlyLabels()
    LABELS.observe(suspect, marked.key, court(lab))
    assert suspect.asked == [(300 * 21, 300)]  # in one question: among them those that bear the key


def test_finetuning_starts_at_the_host(lab):
    still = KeyNet(mode="finetune", epochs=1, lr=0.0)
    marked, host = lab.embed(still), lab.owner(still).host.state_dict()
    weights = {name for name in host if "running" not in name and "num_batches" not in name}
    assert all(torch.equal(marked.service.net.state[name], host[name]) for name in weights)


def test_own_key_is_admissible_and_offers_its_carriers(lab, key):
    for one in (key, lab.embed(SCHEME).key):
        admission = SCHEME.admissible(one)
        assert (admission.well_formed, admission.bound, admission.hash_bound) == (True, True, True)
    assert isinstance(SCHEME, CarrierScheme)
    assert isinstance(SCHEME, OverwriteScheme)


def test_a_chosen_signature_is_not_bound(key):
    admission = SCHEME.admissible(replace(key, signature=torch.full((5, 5), 255, dtype=torch.uint8)))
    assert admission.well_formed
    assert not admission.bound
    assert "does not follow" in admission.reason


@pytest.mark.parametrize(
    ("change", "reason"), [({"identity": "Zoë"}, "ASCII"), ({"weight": torch.zeros(6, 1)}, "fewer than two classes")]
)
def test_malformed_keys_are_refused_with_the_reason(key, change, reason):
    admission = SCHEME.admissible(replace(key, **change))
    assert (admission.well_formed, admission.bound) == (False, False)
    assert reason in admission.reason


def test_a_head_for_other_classes_reads_nothing(lab, key):
    narrow = replace(key, weight=torch.zeros(6, 2))
    with pytest.raises(Unreadable, match="the task has 10 classes, the head reads 2"):
        SCHEME.observe(lab.suspect(lab.null(0).service, "probabilities", court(lab)), narrow, court(lab))


@pytest.mark.parametrize("scheme", [SCHEME, LABELS], ids=lambda scheme: scheme.answers)
def test_a_class_that_never_wins_hides_nothing(lab, scheme, monkeypatch):
    only_one_question(monkeypatch)
    marked = lab.embed(SCHEME)

    class Dummy:
        def ask(self, x, access):
            return torch.nn.functional.pad(marked.service.running().ask(x, access), (0, 1), value=-1e4)

    def read(running=None):
        return scheme.observe(lab.suspect(marked.service, "probabilities", court(lab), running), marked.key, court(lab))

    assert read(Dummy()).record() == read().record()
