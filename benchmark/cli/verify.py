"""Commands that examine one suspect under one key: ask and verify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark import __version__
from benchmark.cli import completion, options
from benchmark.cli.single_model import useful
from benchmark.errors import BenchError

if TYPE_CHECKING:
    from benchmark.app.verify.examination import Examination

_KEY = click.option("--key", type=options.PATH, required=True, help="The owner's folder, or the key's file in it.")
_SCHEME = click.option(
    "--scheme", shell_complete=completion.one_scheme,
    help="One scheme, such as 'rose(s=64)'.  [default: the card's beside the key]",
)  # fmt: skip
_PROFILE = click.option(
    "--profile", help="A profile's name, or a .toml file.  [default: the card's beside the key, else quick]"
)
_ANSWERS = click.option(
    "--answers",
    type=options.PATH,
    multiple=True,
    help="A table that bench ask wrote, filled in, or its folder for images; repeatable.",
)


@click.command(short_help="Write a court's questions as images, to be answered.")
@_KEY
@click.option("--out", type=options.FOLDER, required=True, help="Folder for the images and the table to fill.")
@_ANSWERS
@_SCHEME
@_PROFILE
@options.DATA_FOLDER
@options.PLUGIN
@options.DEVICE
@options.JSON
def ask(
    key: Path, out: Path, answers: Sequence[Path], scheme: str | None, profile: str | None, data_root: Path | None,
    plugins: Sequence[Path], device: str, as_json: bool,
) -> None:  # fmt: skip
    """Write the images that a court would ask a suspect, for whoever can ask it, and a table to fill.

    A net that makes images gets a folder to fill in the table's place.

    The images by which the key is known are shuffled among others, and nothing in the folder says which they are. Fill
    the column `label` of answers.csv with the suspect's class numbers; `bench verify --answers` gives the verdict. A
    court that goes on by what was answered (keynet) gets its next questions with --answers.
    """
    from benchmark.app.api import functions

    asked = functions.ask(
        key, out, answers=answers, scheme=scheme, profile=profile, data_root=data_root, plugins=plugins, device=device
    )
    if as_json:
        options.dump({name: str(one) if isinstance(one, Path) else one for name, one in asdict(asked).items()})
        return
    again = " ".join(f"--answers {path}" for path in (*answers, asked.answers))
    to_do = f"write the number of its class into {asked.answers}"
    if asked.answers.is_dir():
        to_do = f"put what it makes of it into {asked.answers}, as a PNG file of the same name and size"
    options.print_lines([
        ("questions", f"{asked.images:,} images in {out}"),
        ("to do", f"ask the suspect each image, and {to_do}"),
        ("then", f"bench verify --key {key} {again}"),
        *([("takes", asked.takes)] if asked.takes else []),
    ])  # fmt: skip


@click.command(short_help="Examine one suspect under one key: a verdict.")
@_KEY
@click.option(
    "--suspect", "--model", "suspect", metavar="FILE|MODULE:FUNCTION|ADDRESS",
    help="What to ask: model.onnx, .pt2, .pt (TorchScript) or .safetensors, a function, https://…, or torchvision:NAME "
    "or timm:NAME.",
)  # fmt: skip
@click.option("--weights", type=options.PATH, help="The state_dict of torchvision:NAME or timm:NAME.")
@click.option(
    "--host-weights", type=options.PATH,
    help="What unmarked models begin with: the --weights of bench embed.  [default: found in the key's folder]",
)  # fmt: skip
@_ANSWERS
@_SCHEME
@_PROFILE
@options.ALPHA
@options.BUDGET
@options.STRICT
@click.option(
    "--nulls", "--results", "nulls", type=options.PATH,
    help="Compare with unmarked models, too: those that the store of this folder keeps, trained once.  "
    "[default: only where no exact law is known, in results]",
)  # fmt: skip
@click.option("--html", type=options.PATH, help="Write the page as HTML, too.")
@click.option(
    "--rate", type=click.FloatRange(min=0.01), default=5.0, show_default=True,
    help="Requests a second that an address gets at most.",
)  # fmt: skip
@options.DATA_FOLDER
@options.PLUGIN
@options.WORKERS
@options.DEVICE
@options.JSON
def verify(
    key: Path, suspect: str | None, weights: Path | None, host_weights: Path | None, answers: Sequence[Path],
    scheme: str | None, profile: str | None, alpha: float | None, budget: float | None, strict: bool | None,
    nulls: Path | None, html: Path | None, rate: float,
    data_root: Path | None, plugins: Sequence[Path], workers: int | None, device: str, as_json: bool,
) -> None:  # fmt: skip
    """Examine one suspect under one key: a verdict with its evidence, and no matrix.

    Scheme and profile are those of the card beside the key. Ends with 0 whatever the verdict. Under a key that is not
    well formed and bound it is `inadmissible`; of a model that nobody can judge it is `inconsistent`, for its answers,
    or `unreadable`, for its net.
    """
    from benchmark.app.api import functions
    from benchmark.files import write_whole
    from leaderboard.pages import single_model

    seen = functions.verify(
        key, suspect, answers=answers, weights=weights, host_weights=host_weights, scheme=scheme, profile=profile,
        alpha=alpha, budget=budget, strict=strict, nulls=nulls, rate=rate, data_root=data_root, plugins=plugins,
        workers=workers, device=device,
    )  # fmt: skip
    facts = _facts(seen)
    sections = single_model.page(_hearing(seen), seen.opinion, seen.claim.admission, seen.claim.profile.alpha)
    if html is not None:
        try:
            write_whole(html, single_model.as_html(sections, facts, __version__).encode())
        except OSError as error:
            raise BenchError(f"{html} can't be written ({error.strerror}): choose another --html") from error
    if as_json:
        options.dump(_as_json(seen))
        return
    for title, paragraphs in sections:
        options.say("\n".join([title, *(f"  {one}" for one in paragraphs), ""]))
    options.print_lines(facts)


def _hearing(seen: Examination) -> Any:
    from leaderboard.pages.single_model import Hearing

    claim, suspect = seen.claim, seen.suspect
    return Hearing(
        scheme=claim.setting.label, item=claim.scheme.item, access=claim.scheme.court, suspect=suspect.name,
        form=suspect.form, sha256=suspect.sha256, asked=seen.asked, own=seen.own, task=claim.profile.task,
        useful=useful(seen.utility), card=claim.card, commitment=claim.file.sha256, nulls=sum(seen.nulls.values()),
        notes=seen.notes,
    )  # fmt: skip


def _facts(seen: Examination) -> list[tuple[str, str]]:
    """The page's numbers, as names and texts."""
    from leaderboard.pages import single_model

    claim = seen.claim
    card = {None: "no card beside the key", True: "card.json beside the key commits to it",
            False: "card.json beside the key commits to another key"}[claim.card]  # fmt: skip
    lines = single_model.describe(seen.opinion, claim.admission, claim.profile.alpha)
    lines.append(("commitment", f"{claim.file.sha256} ({card})"))
    lines.append(("model", f"{seen.suspect.sha256 or seen.suspect.name}, {useful(seen.utility)}, "
                           f"profile {claim.profile.name}"))  # fmt: skip
    if seen.left_out:
        lines.append(("note", "the suspect is one of the nulls: it was left out of them, as was any of one lineage"))
    return [*lines, *(("note", note) for note in seen.notes)]


def _as_json(seen: Examination) -> dict[str, Any]:
    from leaderboard.pages import single_model
    from leaderboard.stats.null_tests import OWN_POOL, SURROGATE_POOL

    claim = seen.claim
    return {
        "scheme": claim.setting.label, "profile": claim.profile.name, "utility": seen.utility,
        "suspect": seen.suspect.name, "form": seen.suspect.form, "asked": seen.asked, "own_images": seen.own,
        "model_sha256": seen.suspect.sha256, "key_sha256": claim.file.sha256, "card": claim.card,
        "nulls": seen.nulls.get(OWN_POOL, 0), "surrogate_nulls": seen.nulls.get(SURROGATE_POOL, 0),
        "nulls_left_out": seen.left_out, "notes": list(seen.notes),
        **single_model.as_json(seen.opinion, claim.admission, claim.profile.alpha, claim.profile.budget),
    }  # fmt: skip
