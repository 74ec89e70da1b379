"""The contract of plug-ins: what a scheme and an attack are. Everything their authors need is importable here."""

from __future__ import annotations

from benchmark.architectures.blocks import ConvBlock, Spec, builder, conv_blocks, entering, head, plain
from benchmark.architectures.image_to_image import Critic, ResidualUnit, UNet, UNetTrunk, conv3x3
from benchmark.architectures.net import Net, build
from benchmark.architectures.small import ConvNet
from benchmark.crypto.commitment import commit, root_of
from benchmark.crypto.prf import prf_bits, prf_labels, secret
from benchmark.data.image_files import pictures
from benchmark.data.splits import Data, as_bytes, as_float
from benchmark.data.trigger_images import abstract_images
from benchmark.plugins.parameters import parameter
from benchmark.protocol.attack import Attack, OracleAttack
from benchmark.protocol.objects import AttackResult, Key, Marked, shipped
from benchmark.protocol.observations import (
    Admission,
    Channel,
    Gate,
    Observations,
    binomial,
    poisson_binomial,
    redrawn,
)
from benchmark.protocol.parties import Court, NotApplicable, Owner, Party, Suspect, TaskContext, Unreadable
from benchmark.protocol.scheme import CarrierScheme, OverwriteScheme, PassportScheme, Scheme, TriggerScheme
from benchmark.protocol.thief import Insider, Thief, ThiefCost
from benchmark.training.loop import BatchSource, Recipe, logits
from benchmark.vocabulary import Access

__all__ = [
    "Access",
    "Admission",
    "Attack",
    "AttackResult",
    "BatchSource",
    "CarrierScheme",
    "Channel",
    "ConvBlock",
    "ConvNet",
    "Court",
    "Critic",
    "Data",
    "Gate",
    "Insider",
    "Key",
    "Marked",
    "Net",
    "NotApplicable",
    "Observations",
    "OracleAttack",
    "OverwriteScheme",
    "Owner",
    "Party",
    "PassportScheme",
    "Recipe",
    "ResidualUnit",
    "Scheme",
    "Spec",
    "Suspect",
    "TaskContext",
    "Thief",
    "ThiefCost",
    "TriggerScheme",
    "UNet",
    "UNetTrunk",
    "Unreadable",
    "abstract_images",
    "as_bytes",
    "as_float",
    "binomial",
    "build",
    "builder",
    "commit",
    "conv3x3",
    "conv_blocks",
    "entering",
    "head",
    "logits",
    "parameter",
    "pictures",
    "plain",
    "poisson_binomial",
    "prf_bits",
    "prf_labels",
    "redrawn",
    "root_of",
    "secret",
    "shipped",
]  # fmt: skip
