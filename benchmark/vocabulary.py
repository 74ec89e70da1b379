"""The words that every room uses: what a release grants, kinds of attacks and jobs, roles, the form of a record."""

from __future__ import annotations

from typing import Final, Literal

Access = Literal["none", "labels", "probabilities", "outputs", "weights"]
ACCESS = ("labels", "probabilities", "outputs", "weights")  # what a release can grant and a court can see

ATTACK_KINDS = (
    "removal", "function-preserving", "evasion", "extraction", "ambiguity", "false-claim", "control",
)  # fmt: skip
ORACLE_KINDS = ("oracle-removal", "oracle-ambiguity")  # of attacks that are given the owner's key

JobKind = Literal["host", "null", "marked", "attacked", "judged", "drawn"]
JobRole = Literal["owner", "thief", "insider", "court"]

RECORD_SCHEMA: Final = 1  # the form of a record and of the payload that its id is made of


def may(grants: str, wanted: str) -> bool:
    """Whether a release that grants `grants` serves someone who needs `wanted`.

    Weights give everything; probabilities give labels; an image-to-image service gives its outputs alone. An
    attack that wants "none" needs no answer of the stolen model.
    """
    return wanted in ("none", grants) or grants == "weights" or (grants == "probabilities" and wanted == "labels")
