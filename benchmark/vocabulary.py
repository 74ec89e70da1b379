"""The words that every room uses: what a release grants, kinds of attacks and jobs, roles, the form of a record."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

Access = Literal["none", "labels", "probabilities", "outputs", "weights"]
ACCESS: tuple[Access, ...] = ("labels", "probabilities", "outputs", "weights")  # what a release grants, a court sees

ATTACK_KINDS = (
    "removal", "function-preserving", "evasion", "extraction", "ambiguity", "false-claim", "control",
)  # fmt: skip
ORACLE_KINDS = ("oracle-removal", "oracle-ambiguity")  # of attacks that are given the owner's key
CLAIM_KINDS = ("ambiguity", "false-claim", "oracle-ambiguity")  # of attacks whose thief ends with a key of his own

LAYER_KINDS = ("normalised convolutions", "batch normalisation")  # what schemes and attacks may need of a net

JobKind = Literal["host", "null", "marked", "twin", "attacked", "judged", "drawn"]
JobRole = Literal["owner", "thief", "insider", "court"]
JobStep = Literal["make", "answer", "judge"]

# the pool of nets that don't share the weights that the clean nulls begin with
SCRATCH_POOL: Final = "from scratch"

RECORD_SCHEMA: Final = 1  # the form of a record and of the payload that its id is made of
IDENTITY = 3  # by which rule that payload digests code (docs/identity.md); a record that states none is of rule 1


def may(grants: Access, wanted: Access) -> bool:
    """Whether a release that grants `grants` serves someone who needs `wanted`.

    none < labels < probabilities < weights, and none < outputs < weights: an image-to-image service gives its outputs
    alone.
    """
    return wanted in ("none", grants) or grants == "weights" or (grants == "probabilities" and wanted == "labels")


def smaller(grants: Access, wanted: Access) -> Access:
    """What someone gets who is granted `grants` and asks for no more than `wanted`: the most that both include."""
    return wanted if may(grants, wanted) else grants if may(wanted, grants) else "none"


def least(needs: Collection[Access]) -> Access | None:
    """The smallest grant that serves all of `needs`; None where some are answers of a classifier, others images."""
    if "outputs" in needs and {"labels", "probabilities"} & {*needs}:
        return None
    return next(one for one in ("none", *ACCESS) if all(may(one, need) for need in needs))
