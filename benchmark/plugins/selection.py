"""Reading `--schemes` and `--attacks`: which plug-ins run, with which parameters, alone or in a chain."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import takewhile
from typing import Any

from benchmark.errors import BenchError
from benchmark.plugins.attack_sets import PRESETS
from benchmark.plugins.parameters import SETS, SETTING, Declaration, PluginRole, first_few, split_text
from benchmark.plugins.registry import Registry
from benchmark.vocabulary import CLAIM_KINDS, ORACLE_KINDS, Access, least

_SWEEP = re.compile(r"\s*(?P<field>\w+)\s*=\s*(?P<low>[^=\s]+?)\.\.(?P<high>[^:\s]+)(?::(?P<step>\S+))?\s*")
_MOST = 100  # settings of one sweep


@dataclass(frozen=True)
class Stage:
    """One plug-in with every parameter's value."""

    declaration: Declaration
    parameters: dict[str, Any] = field(hash=False)

    @cached_property
    def label(self) -> str:
        shown = self.declaration.write(self.parameters)
        return f"{self.declaration.name}({shown})" if shown else self.declaration.name


@dataclass(frozen=True)
class Setting:
    """One row or column of the matrix: a scheme, an attack, or a chain of attacks.

    `kind`, `oracle`, `aware`, `access`, `requires` and `claim` are defined for attacks only; `tasks` are the kinds of
    task it can be run on.
    """

    stages: tuple[Stage, ...]

    @cached_property
    def label(self) -> str:
        """The canonical text, `prune(amount=0.3)+jpeg(quality=75)`. Selecting it gives this setting and no other."""
        return "+".join(stage.label for stage in self.stages)

    @cached_property
    def kind(self) -> str:
        """The last stage's kind; a query-time filter behind other stages doesn't change what the chain is.

        One stage that is given the owner's key takes the whole chain to the key-oracle boards.
        """
        first, last = _kind(self.stages[0]), _kind(self.stages[-1])
        if self.oracle:
            return "oracle-ambiguity" if self.claim else "oracle-removal"
        return first if last == "evasion" else last

    @cached_property
    def oracle(self) -> bool:
        """Whether a stage is given the owner's key."""
        return any(_kind(stage) in ORACLE_KINDS for stage in self.stages)

    @cached_property
    def access(self) -> Access:
        """What every stage together needs of a release: the strongest of their needs. Raises BenchError."""
        needs = {stage.declaration.traits["access"] for stage in self.stages}
        if (found := least(needs)) is None:
            other = min(needs & {"labels", "probabilities"})
            raise BenchError(f"{self.label!r} needs outputs and {other}: no release grants both")
        return found

    @cached_property
    def requires(self) -> frozenset[str]:
        """The scheme's capabilities that the stages need."""
        return frozenset(stage.declaration.traits["requires"] for stage in self.stages) - {""}

    @cached_property
    def layers_needed(self) -> tuple[str, ...]:
        """The kinds of layers that its stages need of the net it begins with: before one makes a net of its own."""
        own = ("extraction", "control")
        stages = takewhile(lambda stage: stage.declaration.traits.get("kind") not in own, self.stages)
        return tuple(sorted({stage.declaration.traits["layers_needed"] for stage in stages} - {""}))

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The kinds of task that every stage serves."""
        first, *others = (tuple(stage.declaration.traits["tasks"]) for stage in self.stages)
        return tuple(kind for kind in first if all(kind in other for other in others))

    @cached_property
    def aware(self) -> bool:
        """Whether it needs a marked model: it uses the scheme's code, or is given the owner's key."""
        return self.claim or bool(self.requires) or self.oracle

    @cached_property
    def claim(self) -> bool:
        """Whether the thief ends with a key of his own."""
        return _kind(self.stages[-1]) in CLAIM_KINDS

    @cached_property
    def evidence(self) -> str:
        """The channel that decides in place of the scheme's own: of the last stage that names one, or ""."""
        named = (stage.declaration.traits["evidence"] for stage in reversed(self.stages))
        return next(filter(None, named), "")

    @cached_property
    def ignores_target(self) -> bool:
        """Whether the thief never looks at the marked model."""
        return bool(self.traits["target"] == "none")

    @property
    def traits(self) -> Mapping[str, Any]:
        """What its first stage declares: all of it for a scheme."""
        return self.stages[0].declaration.traits


def select_schemes(text: str, registry: Registry) -> tuple[Setting, ...]:
    """The settings that `--schemes` names, in its order, each once; raises BenchError."""
    return _select("scheme", text, registry)


def one_scheme(text: str, registry: Registry) -> Setting:
    """The one setting that --scheme names. Raises BenchError where it names several."""
    settings = select_schemes(text, registry)
    if len(settings) != 1:
        labels = first_few([setting.label for setting in settings])
        raise BenchError(f"--scheme {text!r} names {len(settings)} settings ({labels}): name one")
    return settings[0]


def select_attacks(text: str, registry: Registry) -> tuple[Setting, ...]:
    """The settings that `--attacks` names, in its order, each once; raises BenchError.

    Items are separated by commas. `all` stands for one setting of every attack, the first that it declares; `grid` and
    wildcards for all that are declared; `standard` and `auto` for those of `attack_sets`; a bare name for its defaults,
    `prune(amount=0.8)` for exactly that, `prune+jpeg(quality=75)` for a chain. One number of an item may be swept,
    `prune(amount=0.1..0.9:0.1)+jpeg`: a setting for each value. Its streams have no strength in their names, so all of
    them draw the same random numbers.
    """
    return _select("attack", text, registry)


def _select(role: PluginRole, text: str, registry: Registry) -> tuple[Setting, ...]:
    sets = ", ".join(SETS)
    examples = f"{sets}, 'finetune*' or 'prune(amount=0.5)+jpeg'" if role == "attack" else "all or 'adi'"
    if not text.strip():
        raise BenchError(f"--{role}s selects nothing: write {examples}")
    chosen: dict[str, Setting] = {}
    for item in split_text(text, ","):
        if not item:
            raise BenchError(f"--{role}s {text!r} has an empty item: remove the extra comma")
        for one in _swept(item, registry) if role == "attack" else (item,):
            for setting in _item(role, one, registry):
                chosen.setdefault(setting.label, setting)
    return tuple(chosen.values())


def _swept(item: str, registry: Registry) -> list[str]:
    """The items that a sweep in `item` stands for; `item` alone where there is none."""
    texts = split_text(item, "+")
    stages = [(name, split_text(arguments, ",")) for name, arguments in map(_parts, texts)]
    sweeps = [
        (number, place, match)
        for number, (name, arguments) in enumerate(stages)
        for place, text in enumerate(arguments)
        if (match := _SWEEP.fullmatch(text)) and match["field"] in _numbers(name, registry)
    ]
    if not sweeps:
        return [item]
    if len(sweeps) > 1:
        fields = " and ".join(match["field"] for _, _, match in sweeps)
        raise BenchError(f"{item!r} sweeps {fields}: sweep one number of an item, and write the others out")
    ((number, place, match),) = sweeps
    name, arguments = stages[number]
    items = []
    for value in _values(item, match):
        arguments[place] = f"{match['field']}={value}"
        items.append("+".join([*texts[:number], f"{name}({','.join(arguments)})", *texts[number + 1 :]]))
    return items


def _parts(stage: str) -> tuple[str, str]:
    """A plug-in's name, and what stands in the parentheses behind it; no name where the text has another form."""
    match = SETTING.fullmatch(stage)
    return (match["name"].strip(), match["arguments"] or "") if match else ("", "")


def _numbers(name: str, registry: Registry) -> set[str]:
    """The parameters of an attack that can be swept: its numbers. A text may hold any signs."""
    if name in ("", *SETS) or _is_wildcard(name):
        return set()
    return {
        one.name for one in registry.find("attack", name).parameters if one.type in ("int", "float") and not one.many
    }


def _values(item: str, match: re.Match[str]) -> list[str]:
    """Low, low + step, and so on to high, which is among them if a whole number of steps leads there."""
    try:
        low, high, step = (Decimal(match[name] or "") for name in ("low", "high", "step"))
        sound = all(one.is_finite() for one in (low, high, step)) and step > 0 and low <= high
        steps = (high - low) / step if sound else Decimal(0)
    except ArithmeticError:  # no numbers, or out of all bounds
        sound = False
    if not sound:
        raise BenchError(
            f"{item!r} sweeps nothing: write {match['field']}=LOW..HIGH:STEP with numbers, as 0.1..0.9:0.1"
        )
    if steps >= _MOST:
        raise BenchError(f"{item!r} sweeps more than {_MOST} values: take a larger step")
    return [str(low + step * index) for index in range(int(steps) + 1)]


def _item(role: PluginRole, item: str, registry: Registry) -> Iterator[Setting]:
    texts = split_text(item, "+")
    if len(texts) > 1:
        if role == "scheme":
            raise BenchError(f"{item!r} chains schemes, and only attacks can be chained: write a comma for +")
        stages = tuple(_stage(role, text, registry) for text in texts)
        _check_chain(item, stages)
        yield Setting(stages)
    elif item in PRESETS and role == "attack":
        for one in PRESETS[item]:
            yield from _item(role, one, registry)
    elif item in SETS or (_is_wildcard(item) and not item.endswith(")")):
        yield from _declared(role, item, registry)
    else:
        yield Setting((_stage(role, item, registry),))


def _declared(role: PluginRole, item: str, registry: Registry) -> Iterator[Setting]:
    """The settings that plug-ins declare: one of each attack for `all`, and else every one."""
    pattern = "*" if item == "all" or (item == "grid" and role == "attack") else item
    most = 1 if item == "all" and role == "attack" else None
    matching = [one for one in registry.of(role) if fnmatch.fnmatchcase(one.name, pattern)]
    if not matching:
        known = ", ".join(one.name for one in registry.of(role)) or "none"
        raise BenchError(f"no {role} matches {item!r}; there are {known}")
    for one in matching:
        yield from (Setting((Stage(one, one.read(text)),)) for text in one.traits["settings"][:most])


def _stage(role: PluginRole, text: str, registry: Registry) -> Stage:
    name, arguments = _parts(text)
    if not name:
        raise BenchError(f"{text!r} names no {role}: write a name, then its parameters in parentheses")
    if name in SETS or _is_wildcard(name):
        raise BenchError(f"{text!r} can have no parameters and no place in a chain: name one {role}")
    declaration = registry.find(role, name)
    return Stage(declaration, declaration.read(arguments))


def _check_chain(item: str, stages: tuple[Stage, ...]) -> None:
    """Raise BenchError unless weight stages come first, then query-time filters, then at most one claim."""
    ranks = [2 if _kind(stage) in CLAIM_KINDS else 1 if _kind(stage) == "evasion" else 0 for stage in stages]
    if ranks != sorted(ranks) or ranks.count(2) > 1:
        order = "what changes the weights first, then filters (evasion), and one claim at the very end"
        kinds = ", ".join(f"{stage.declaration.name} is {_kind(stage)}" for stage in stages)
        raise BenchError(f"{item!r} is out of order: write {order} ({kinds})")
    for stage in stages[1:]:
        if stage.declaration.traits["target"] == "none":
            why = f"{stage.declaration.name} never looks at the model it is given"
            raise BenchError(f"{item!r} is out of order: {why}, so write it first")
    _ = Setting(stages).access  # no release serves stages that need outputs and a classifier's answers


def _kind(stage: Stage) -> str:
    return str(stage.declaration.traits["kind"])


def _is_wildcard(text: str) -> bool:
    return any(sign in text for sign in "*?[")
