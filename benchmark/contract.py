"""The contract of plug-ins: all that a scheme or an attack needs. They write `from benchmark import contract as wm`.

| for | names |
| --- | --- |
| a scheme | Scheme, parameter, Marked |
| its capabilities | TriggerScheme, OverwriteScheme, PassportScheme, CarrierScheme, ExtractorScheme |
| its key | Key, field (its form), secret, prf_bits, prf_labels, prf_normals, commit, root_of, published_root |
| what it observes | Observations, Channel, Gate; Admission |
| how a fresh key scores | NullDistribution: binomial, poisson_binomial, redrawn, redrawn_in_turn; read_in_part |
| an attack | Attack, OracleAttack, AttackResult, Access; Draws, what a random filter draws from |
| the parties | Party, Owner, Thief, Insider, Suspect, Court |
| what can't be done | NotApplicable (an attack or a redraw), Unreadable (a suspect) |
| training | Recipe, BatchSource, logits |
| data | Data, as_float, as_bytes, abstract_images, photographs |
| files that parameters name | read_toml; picture, pictures, in a folder |
| nets | Net, Spec, build, builder, reshaped, plain, fused, unfused |
| their layers | ConvBlock, conv_blocks, normalisation, entering, head, head_name |
| their filters and channels | filter_layers, ChannelGroup, channel_groups, tied_layers, aligned |
| image-to-image nets | UNet, UNetTrunk, ResidualUnit, conv3x3, Critic |
"""

from __future__ import annotations

from benchmark.architectures.blocks import (
    ConvBlock,
    Spec,
    builder,
    conv_blocks,
    entering,
    filter_layers,
    head,
    head_name,
    normalisation,
    plain,
)
from benchmark.architectures.channel_groups import ChannelGroup, channel_groups, tied_layers
from benchmark.architectures.fusing import fused, unfused
from benchmark.architectures.image_to_image import Critic, ResidualUnit, UNet, UNetTrunk, conv3x3
from benchmark.architectures.net import Net, build, reshaped
from benchmark.crypto.commitment import commit, published_root, root_of
from benchmark.crypto.prf import prf_bits, prf_labels, prf_normals, secret
from benchmark.data.image_files import picture, pictures
from benchmark.data.photographs import photographs
from benchmark.data.splits import Data, as_bytes, as_float
from benchmark.data.trigger_images import abstract_images
from benchmark.errors import NotApplicable
from benchmark.files import read_toml
from benchmark.plugins.parameters import parameter
from benchmark.protocol.attack import Attack, OracleAttack
from benchmark.protocol.court import Court, Suspect
from benchmark.protocol.draws import Draws
from benchmark.protocol.key_form import field
from benchmark.protocol.objects import AttackResult, Key, Marked
from benchmark.protocol.observations import (
    Admission,
    Channel,
    Gate,
    NullDistribution,
    Observations,
    binomial,
    poisson_binomial,
    redrawn,
)
from benchmark.protocol.parties import Owner, Party, Unreadable
from benchmark.protocol.redrawing import read_in_part, redrawn_in_turn
from benchmark.protocol.scheme import (
    CarrierScheme,
    ExtractorScheme,
    OverwriteScheme,
    PassportScheme,
    Scheme,
    TriggerScheme,
)
from benchmark.protocol.thief import Insider, Thief, aligned
from benchmark.training.batches import BatchSource
from benchmark.training.loop import logits
from benchmark.training.recipe import Recipe
from benchmark.vocabulary import Access

__all__ = [
    "Access", "Admission", "Attack", "AttackResult", "BatchSource", "CarrierScheme", "Channel", "ChannelGroup",
    "ConvBlock", "Court", "Critic", "Data", "Draws", "ExtractorScheme", "Gate", "Insider", "Key", "Marked", "Net",
    "NotApplicable", "NullDistribution", "Observations", "OracleAttack", "OverwriteScheme", "Owner", "Party",
    "PassportScheme", "Recipe", "ResidualUnit", "Scheme", "Spec", "Suspect", "Thief", "TriggerScheme", "UNet",
    "UNetTrunk", "Unreadable", "abstract_images", "aligned", "as_bytes", "as_float", "binomial", "build", "builder",
    "channel_groups", "commit", "conv3x3", "conv_blocks", "entering", "field", "filter_layers", "fused", "head",
    "head_name", "logits", "normalisation", "parameter", "photographs", "picture", "pictures", "plain",
    "poisson_binomial", "prf_bits", "prf_labels", "prf_normals", "published_root", "read_in_part", "read_toml",
    "redrawn", "redrawn_in_turn", "reshaped", "root_of", "secret", "tied_layers", "unfused",
]  # fmt: skip
