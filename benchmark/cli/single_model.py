"""The command of owners: embed, for one model without a matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.cli import options, own_host
from benchmark.planning.own_host import OwnHost, has_own_host, profile_for

if TYPE_CHECKING:
    from benchmark.app.card import CardUtility


def useful(utility: CardUtility) -> str:
    """How useful a model is, in words: accuracy, or mean PSNR."""
    return f"{utility.value:.2f} dB" if utility.unit == "dB" else f"accuracy {100 * utility.value:.1f} %"


def _place(out: Path, name: str, missing: Mapping[str, str]) -> str:
    """Where a plain form lies, or why there is none."""
    return f"none, for the net can't be exported ({missing[name]})" if name in missing else str(out / name)


@click.command(short_help="Mark one new model, with no matrix.")
@options.SCHEME
@click.option("--out", type=options.FOLDER, required=True, help="Folder for model, key and card.")
@own_host.options("quick")
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**63 - 1), help="For experiments: whoever knows it has the key."
)
@options.DATA_FOLDER
@options.PLUGIN
@options.DEVICE
@options.JSON
def embed(
    scheme: str, out: Path, profile: str | None, host: str | None, weights: Path | None, data: str | None,
    seed: int | None, data_root: Path | None, plugins: Sequence[Path], device: str, as_json: bool,
) -> None:  # fmt: skip
    """Mark one new model, with no matrix: model.safetensors, key.safetensors (secret) and card.json (to publish).

    For whoever serves the model: state_dict.safetensors, and model.pt2, which torch.export.load reads; of a host of
    your own also model.onnx, and its tensors have its library's names.
    """
    from rich.console import Console

    from benchmark.app.api.training_shown import TrainingShown
    from benchmark.app.card import CARD
    from benchmark.app.plain_forms import ONNX, PROGRAM, TENSORS
    from benchmark.app.planned_run import use_data_root
    from benchmark.app.single_model import KEY, MODEL, embed_model

    use_data_root(data_root)
    setting, _ = options.one_scheme(scheme, plugins)
    own = profile_for(profile, "quick", OwnHost(host, weights, data))
    done = embed_model(setting, own, out, seed, device, TrainingShown(Console(stderr=True)))
    card, missing = done.card, done.missing
    if as_json:
        options.dump(card.as_json())
        return
    options.print_lines([
        ("scheme", setting.label),
        *([("before", f"{useful(done.before)}, of the unmarked host")] if done.before else []),
        ("utility", f"{useful(card.utility)} on the test set of {card.profile.world['task']}"),
        ("model", str(out / MODEL)),
        ("tensors", f"{out / TENSORS}: a state_dict, for whoever serves the model without this benchmark"),
        ("program", _place(out, PROGRAM, missing)),
        *([("onnx", _place(out, ONNX, missing))] if has_own_host(own) else []),
        ("key", f"{out / KEY}: keep it secret"),
        ("card", f"{out / CARD}: publish it before you release the model"),
        ("commitment", str(card.commitment)),
    ])  # fmt: skip
