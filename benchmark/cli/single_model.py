"""Commands of practitioners and reviewers: embed, verify, compare, bundle, replay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmark.cli.options import ALPHA, BUDGET, DEVICE, JSON, PLUGIN, RESULTS, RUN_NAME, WORKERS, checked_name, dump
from benchmark.errors import EXIT_INCOMPLETE, EXIT_OK, EXIT_WORSE, BenchError
from benchmark.planning.profile import Profile, load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import Setting, select_schemes

SCHEME = click.option("--scheme", required=True, help="One scheme, such as 'adi' or 'rose(s=64)'.")
PROFILE = click.option(
    "--profile", "profile_name", default="quick", show_default=True, help="A profile's name, or a .toml file."
)
FOLDER = click.Path(path_type=Path, file_okay=False)


def asked(scheme: str, plugins: Sequence[Path]) -> tuple[Setting, Registry]:
    registry = Registry.discover(plugins)
    settings = select_schemes(scheme, registry)
    if len(settings) != 1:
        labels = ", ".join(setting.label for setting in settings)
        raise BenchError(f"--scheme {scheme!r} stands for {len(settings)} settings ({labels}): name one")
    return settings[0], registry


def print_lines(lines: Sequence[tuple[str, str]]) -> None:
    from benchmark.execution.progress import printable

    for name, text in lines:
        click.echo(printable(f"{name:<14}{text}"))


def _useful(value: float, unit: str) -> str:
    """How useful a model is, in words: accuracy, or mean PSNR."""
    return f"{value:.2f} dB" if unit == "dB" else f"accuracy {100 * value:.1f} %"


@click.command()
@SCHEME
@click.option("--out", type=FOLDER, required=True, help="Folder for model, key and card.")
@PROFILE
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**63 - 1), help="For experiments: whoever knows it has the key."
)
@PLUGIN
@DEVICE
@JSON
def embed(
    scheme: str, out: Path, profile_name: str, seed: int | None, plugins: Sequence[Path], device: str, as_json: bool
) -> None:
    """Mark one new model, with no matrix: model.safetensors, key.safetensors (secret) and card.json (to publish)."""
    from benchmark.app.single_model import CARD, KEY, MODEL, embed_model

    setting, _ = asked(scheme, plugins)
    card = embed_model(setting, load_profile(profile_name), out, seed, device)
    if as_json:
        dump(card)
        return
    print_lines([
        ("scheme", setting.label),
        ("utility", f"{_useful(**card['utility'])} on the test set of {card['profile']['world']['task']}"),
        ("model", str(out / MODEL)),
        ("key", f"{out / KEY}: keep it secret"),
        ("card", f"{out / CARD}: publish it before the model leaves the house"),
        ("commitment", card["commitment"]),
    ])  # fmt: skip


@click.command()
@SCHEME
@click.option("--model", type=click.Path(path_type=Path), required=True, help="The suspect's file.")
@click.option("--key", type=click.Path(path_type=Path), required=True, help="The claimant's file.")
@PROFILE
@ALPHA
@BUDGET
@RESULTS
@PLUGIN
@WORKERS
@DEVICE
@JSON
def verify(
    scheme: str, model: Path, key: Path, profile_name: str, alpha: float | None, budget: float | None, results: Path,
    plugins: Sequence[Path], workers: int, device: str, as_json: bool,
) -> None:  # fmt: skip
    """Examine one model under one key: a verdict with its evidence, and no matrix.

    The profile's unmarked models (of image-to-image nets, surrogates of these as well) are the comparison: they are
    trained once and kept in the store of --results.
    Ends with 0 whatever the verdict. Under a key that is not well formed and bound it is `inadmissible`.
    """
    from rich.console import Console

    from benchmark.app.single_model import examine_files
    from benchmark.execution.run import Machine
    from leaderboard.pages import single_model
    from leaderboard.stats.null_tests import OWN_POOL, SURROGATE_POOL

    setting, registry = asked(scheme, plugins)
    profile: Profile = load_profile(profile_name).with_options(alpha=alpha, budget=budget)
    machine = Machine(results, profile.name, workers, device)
    seen = examine_files(setting, profile, model, key, registry, machine, Console(stderr=True))
    if as_json:
        dump({
            "scheme": seen.scheme, "profile": seen.profile, "utility": {"value": seen.utility, "unit": seen.unit},
            "model_sha256": seen.model.sha256, "key_sha256": seen.key.sha256, "card": seen.card,
            "nulls": seen.nulls[OWN_POOL], "surrogate_nulls": seen.nulls.get(SURROGATE_POOL, 0),
            "nulls_left_out": seen.left_out, "notes": list(seen.notes),
            **single_model.as_json(seen.opinion, seen.admission, profile.alpha, profile.budget),
        })  # fmt: skip
        return
    card = {None: "no card beside the key", True: "card.json beside the key commits to it",
            False: "card.json beside the key commits to another key"}[seen.card]  # fmt: skip
    lines = single_model.describe(seen.opinion, seen.admission, profile.alpha)
    lines.append(("commitment", f"{seen.key.sha256} ({card})"))
    lines.append(("model", f"{seen.model.sha256}, {_useful(seen.utility, seen.unit)}, profile {seen.profile}"))
    if seen.left_out:
        lines.append(("note", "the suspect is one of the nulls: it was left out of them, as was any of one lineage"))
    print_lines([*lines, *(("note", note) for note in seen.notes)])


@click.command()
@click.argument("run_a", type=FOLDER)
@click.argument("run_b", type=FOLDER)
@ALPHA
@BUDGET
@JSON
def compare(run_a: Path, run_b: Path, alpha: float | None, budget: float | None, as_json: bool) -> int:
    """Compare two runs: cells that changed beyond chance, new and gone ones. Both are judged as RUN_A was.

    Ends with 4 when a verdict got worse for the owner, with 3 when RUN_B lost one, with 2 when no cell is in both.
    """
    from benchmark.execution.progress import printable
    from leaderboard.analysis import compare as comparing
    from leaderboard.judge.board import judge
    from leaderboard.pages import compare_text

    a = judge(comparing.read_folder(run_a), alpha, budget)
    b = judge(comparing.read_folder(run_b), like=a.tracks)
    found = comparing.compare(a, b)
    if as_json:
        dump(compare_text.as_json(a, b, found))
    else:
        for line in compare_text.describe(a, b, found).splitlines():
            click.echo(printable(line))
    if found.worse:
        return EXIT_WORSE
    return EXIT_INCOMPLETE if found.lost else EXIT_OK


@click.command()
@click.argument("cell", nargs=-1, required=True)
@click.option("--out", type=FOLDER, required=True, help="A new folder.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which seed's cell.")
@RESULTS
@RUN_NAME
@PLUGIN
@ALPHA
@BUDGET
@JSON
def bundle(
    cell: tuple[str, ...], out: Path, seed: int, results: Path, run_name: str | None, plugins: Sequence[Path],
    alpha: float | None, budget: float | None, as_json: bool,
) -> None:  # fmt: skip
    """Put one cell into a folder that a reviewer can replay: `bench bundle adi 'prune(amount=0.3)' --out FOLDER`.

    The folder holds the opened key: whoever has it can claim the marked model and remove the mark.
    """
    from benchmark.app.bundle import bundle as write_bundle
    from benchmark.execution.run import STORE
    from benchmark.store.records import RecordStore
    from leaderboard.judge.board import judge, read_run
    from leaderboard.pages.cell_facts import find_cells

    store = RecordStore(results / STORE)
    board = judge(read_run(results / checked_name(run_name, "quick"), store), alpha, budget)
    found = [one for one in find_cells(board, cell) if one.replicate == seed]
    if not found:
        raise BenchError(f"this run has no seed {seed} of that cell: see bench show")
    manifest = write_bundle(board, found[0], store, Registry.discover(plugins), out)
    if as_json:
        dump(manifest)
        return
    print_lines([
        ("cell", f"{found[0].scheme} × {found[0].attack}, seed {seed}: {found[0].verdict.word}"),
        ("bundle", f"{out}: {len(manifest['files'])} files, the opened key among them"),
        ("sha256", f"{manifest['sha256']}: publish it beside the bundle"),
    ])  # fmt: skip


@click.command()
@click.argument("folder", type=FOLDER)
@PLUGIN
@DEVICE
@JSON
def replay(folder: Path, plugins: Sequence[Path], device: str, as_json: bool) -> int:
    """Examine a bundle's models anew with the installed scheme: equal, within tolerance, or different.

    Ends with 0 for the first two, with 4 for different, with 2 where a file of the bundle was tampered with.
    """
    from benchmark.app.replay import in_words
    from benchmark.app.replay import replay as play

    found = play(folder, Registry.discover(plugins), device)
    if as_json:
        dump(found)
    else:
        cell = found.cell
        whose = f"{'unmarked under ' if cell['innocent'] else ''}{cell['scheme']} × {cell['attack']}"
        lines = [
            ("cell", f"{whose}, seed {cell['replicate']}"),
            ("bundle", found.sha256),
            ("judged", f"at alpha {cell['alpha']:g} and a budget of {cell['budget']:g} {cell['unit']}"),
            ("recorded", in_words(found.recorded)),
            ("derived", in_words(found.derived)),
            *(("check", f"{one.what}: {one.outcome}{f' ({one.detail})' if one.detail else ''}")
              for one in found.checks),
            *(("note", note) for note in found.notes),
            ("result", found.outcome),
        ]  # fmt: skip
        print_lines(lines)
    return EXIT_WORSE if found.outcome == "different" else EXIT_OK


COMMANDS = (embed, verify, compare, bundle, replay)
