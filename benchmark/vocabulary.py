"""What a release grants: the one question about it that a plan must answer, so torch stays out."""

from __future__ import annotations

from typing import Literal

Access = Literal["none", "labels", "probabilities", "outputs", "weights"]


def may(grants: str, wanted: str) -> bool:
    """Whether a release that grants `grants` serves someone who needs `wanted`.

    Weights give everything; probabilities give labels; an image-to-image service gives its outputs alone. An
    attack that wants "none" needs no answer of the stolen model.
    """
    return wanted in ("none", grants) or grants == "weights" or (grants == "probabilities" and wanted == "labels")
