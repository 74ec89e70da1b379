"""Names of schemes and attacks for a shell that completes what is typed: `_BENCH_COMPLETE=bash_source bench`."""

from __future__ import annotations

import re

import click
from click.shell_completion import CompletionItem

from benchmark.errors import BenchError
from benchmark.plugins.attack_sets import PRESETS
from benchmark.plugins.parameters import SETS, PluginRole
from benchmark.plugins.registry import Registry


def schemes(context: click.Context, option: click.Parameter, typed: str) -> list[CompletionItem]:
    """The schemes that the last name of a list may become."""
    return _items(context, typed, ("scheme",), ("all", "standard"))


def one_scheme(context: click.Context, option: click.Parameter, typed: str) -> list[CompletionItem]:
    return _items(context, typed, ("scheme",))


def attacks(context: click.Context, option: click.Parameter, typed: str) -> list[CompletionItem]:
    """The attacks and sets of attacks that the last name of a list or chain may become."""
    return _items(context, typed, ("attack",), SETS)


def plugins(context: click.Context, option: click.Parameter, typed: str) -> list[CompletionItem]:
    return _items(context, typed, ("scheme", "attack"), tuple(PRESETS))


def _items(
    context: click.Context, typed: str, roles: tuple[PluginRole, ...], sets: tuple[str, ...] = ()
) -> list[CompletionItem]:
    """What begins as the last name in `typed` does, behind what stands before it; nothing inside parentheses."""
    before, last = re.fullmatch(r"(.*[,+])?(.*)", typed, re.DOTALL).groups("")  # type: ignore[union-attr]  # fits all
    try:
        registry = Registry.discover(context.params.get("plugins") or ())
    except BenchError:  # a --plugin that can't be read: the command will say so
        registry = Registry.discover()
    named = [(one.name, one.doc.strip().partition("\n")[0]) for role in roles for one in registry.of(role)]
    found = [*named, *((name, "a set of attacks" if "attack" in roles else "a set of schemes") for name in sets)]
    return [CompletionItem(before + name, help=about) for name, about in found if name.startswith(last)]
