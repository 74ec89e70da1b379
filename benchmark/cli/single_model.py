"""Commands of practitioners: embed and verify, for one model without a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.cli import options
from benchmark.planning.profile import load_profile

if TYPE_CHECKING:
    from benchmark.app.card import CardUtility


def _useful(utility: CardUtility) -> str:
    """How useful a model is, in words: accuracy, or mean PSNR."""
    return f"{utility.value:.2f} dB" if utility.unit == "dB" else f"accuracy {100 * utility.value:.1f} %"


@click.command(short_help="Mark one new model, with no matrix.")
@options.SCHEME
@click.option("--out", type=options.FOLDER, required=True, help="Folder for model, key and card.")
@options.profile_option("quick")
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**63 - 1), help="For experiments: whoever knows it has the key."
)
@options.DATA_FOLDER
@options.PLUGIN
@options.DEVICE
@options.JSON
def embed(
    scheme: str, out: Path, profile: str, seed: int | None, data_root: Path | None, plugins: Sequence[Path],
    device: str, as_json: bool,
) -> None:  # fmt: skip
    """Mark one new model, with no matrix: model.safetensors, key.safetensors (secret) and card.json (to publish)."""
    from benchmark.app.card import CARD
    from benchmark.app.planned_run import use_data_root
    from benchmark.app.single_model import KEY, MODEL, embed_model

    use_data_root(data_root)
    setting, _ = options.one_scheme(scheme, plugins)
    card = embed_model(setting, load_profile(profile), out, seed, device)
    if as_json:
        options.dump(card.as_json())
        return
    options.print_lines([
        ("scheme", setting.label),
        ("utility", f"{_useful(card.utility)} on the test set of {card.profile.world['task']}"),
        ("model", str(out / MODEL)),
        ("key", f"{out / KEY}: keep it secret"),
        ("card", f"{out / CARD}: publish it before you release the model"),
        ("commitment", str(card.commitment)),
    ])  # fmt: skip


@click.command(short_help="Examine one model under one key.")
@options.SCHEME
@click.option("--model", type=options.PATH, required=True, help="The suspect's file.")
@click.option("--key", type=options.PATH, required=True, help="The claimant's file.")
@options.profile_option("quick")
@options.ALPHA
@options.BUDGET
@options.STRICT
@options.DATA_FOLDER
@options.RESULTS
@options.PLUGIN
@options.WORKERS
@options.DEVICE
@options.JSON
def verify(
    scheme: str, model: Path, key: Path, profile: str, alpha: float | None, budget: float | None, strict: bool | None,
    data_root: Path | None, results: Path, plugins: Sequence[Path], workers: int | None, device: str, as_json: bool,
) -> None:  # fmt: skip
    """Examine one model under one key: a verdict with its evidence, and no matrix.

    The profile's unmarked models (of image-to-image nets, surrogates of these as well) are the comparison: they are
    trained once and kept in the store of --results.
    Ends with 0 whatever the verdict. Under a key that is not well formed and bound it is `inadmissible`; of a model
    that nobody can judge it is `inconsistent`, for its answers, or `unreadable`, for its net.
    """
    from benchmark.app.planned_run import use_data_root
    from benchmark.app.single_model import examine_files
    from benchmark.cli.terminal import Terminal
    from benchmark.execution.run import Machine
    from leaderboard.pages import single_model
    from leaderboard.stats.null_tests import OWN_POOL, SURROGATE_POOL

    use_data_root(data_root)
    setting, registry = options.one_scheme(scheme, plugins)
    own = load_profile(profile).with_options(alpha=alpha, budget=budget, strict=strict)
    machine = Machine(results, own.name, workers, device)
    seen = examine_files(setting, own, model, key, registry, machine, Terminal(stderr=True))
    if as_json:
        options.dump({
            "scheme": seen.scheme, "profile": seen.profile, "utility": seen.utility,
            "model_sha256": seen.model.sha256, "key_sha256": seen.key.sha256, "card": seen.card,
            "nulls": seen.nulls[OWN_POOL], "surrogate_nulls": seen.nulls.get(SURROGATE_POOL, 0),
            "nulls_left_out": seen.left_out, "notes": list(seen.notes),
            **single_model.as_json(seen.opinion, seen.admission, own.alpha, own.budget),
        })  # fmt: skip
        return
    card = {None: "no card beside the key", True: "card.json beside the key commits to it",
            False: "card.json beside the key commits to another key"}[seen.card]  # fmt: skip
    lines = single_model.describe(seen.opinion, seen.admission, own.alpha)
    lines.append(("commitment", f"{seen.key.sha256} ({card})"))
    lines.append(("model", f"{seen.model.sha256}, {_useful(seen.utility)}, profile {seen.profile}"))
    if seen.left_out:
        lines.append(("note", "the suspect is one of the nulls: it was left out of them, as was any of one lineage"))
    options.print_lines([*lines, *(("note", note) for note in seen.notes)])
