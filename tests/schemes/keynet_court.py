"""What the tests of KeyNet share: schemes, a court, and how observations are read."""

import torch

from benchmark.protocol.court import Court
from benchmark.protocol.parties import stream
from schemes.keynet import KeyNet

SCHEME = KeyNet()
LABELS = KeyNet(answers="labels")


def hits(observation, channel="challenges"):
    return observation["channels"][channel]["hits"].count("1")


def others(observation):
    return observation["channels"]["challenges"]["law"]["totals"]


def court(lab):
    return Court(lab.context, lab.splits.test, stream("court"))


class OnlyLabels:
    """A service that answers with the class 3, and with nothing else."""

    def __init__(self):
        self.asked = []

    def labels(self, x, keyed):
        self.asked.append((len(x), keyed))
        return torch.full((len(x),), 3)


def only_one_question(monkeypatch):
    """No identities beyond the 19 of the first question."""
    for limit in ("_SOME_IDENTITIES", "MOST_IDENTITIES"):
        monkeypatch.setattr(f"schemes.keynet.{limit}", 19)
