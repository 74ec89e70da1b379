"""Reading a plug-in's declaration from its source with `ast`: the file is neither run nor imported."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from benchmark.errors import BenchError
from benchmark.plugins.parameters import TYPES, Declaration, Origin, Parameter, PluginRole
from benchmark.vocabulary import ACCESS, ATTACK_KINDS, ORACLE_KINDS

LAWS = ("exact", "redrawn", "none")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")

_REQUIRED = object()
_BASES: dict[str, PluginRole] = {"Scheme": "scheme", "Attack": "attack", "OracleAttack": "attack"}
# trait: (type, default, allowed words); a tuple is always one of strings
_TRAITS: dict[str, dict[str, tuple[type, object, tuple[str, ...]]]] = {
    "attack": {
        "family": (str, _REQUIRED, ()),
        "kind": (str, _REQUIRED, (*ATTACK_KINDS, *ORACLE_KINDS)),
        "access": (str, "weights", ("none", *ACCESS)),
        "tasks": (tuple, ("classification",), ()),
        "requires": (str, "", ()),
        "target": (str, "release", ("release", "none")),
        "settings": (tuple, ("",), ()),
        "file_parameters": (tuple, (), ()),
        "paper": (str, "", ()),
    },
    "scheme": {
        "release": (str, "weights", ACCESS),
        "court": (str, "labels", ACCESS),
        "capabilities": (tuple, (), ()),
        "tasks": (tuple, ("classification",), ()),
        "host": (bool, False, ()),
        "expected_failures": (dict, {}, ()),
        "expected_forgeries": (dict, {}, ()),
        "item": (str, "item", ()),
        "settings": (tuple, ("",), ()),
        "null_law": (str, "none", LAWS),
        "file_parameters": (tuple, (), ()),
        "secret_files": (tuple, (), ()),
        "paper": (str, "", ()),
    },
}


class DeclarationError(BenchError):
    """A plug-in file that can't be read as a declaration; the message starts with `file:line:`."""


def read_declarations(path: Path, origin: Origin = "plugin") -> list[Declaration]:
    """The plug-ins a file declares, in its order: classes with a name that derive from Scheme, Attack or OracleAttack.

    A class inherits parameters and traits from plug-in classes above it in the same file, never the name.
    Raises DeclarationError for a file that isn't Python, and for code where a literal is needed.
    """
    path = path.resolve()
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        raise DeclarationError(f"{path}:{error.lineno or 1}: this is not valid Python: {error.msg}") from None
    except (OSError, ValueError) as error:
        raise DeclarationError(f"{path}: the file can't be read: {error}") from None
    classes: dict[str, _Class] = {}
    plugins: dict[tuple[str, str], Declaration] = {}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or (found := _Class.of(node, classes, path)) is None:
            continue
        classes[node.name] = found
        if found.name is not None:
            one = found.declaration(found.name, origin)
            if (one.role, one.name) in plugins:
                found.fail(found.node, f"two {one.role}s are named {one.name!r}: rename one")
            plugins[one.role, one.name] = one
    return list(plugins.values())


def read_builders(path: Path) -> tuple[str, ...]:
    """The names under which a file registers nets and filters with `@builder("name")`, in its order."""
    names = []
    for node in ast.parse(path.read_bytes(), filename=str(path)).body:
        for mark in getattr(node, "decorator_list", ()):
            if isinstance(mark, ast.Call) and _last_name(mark.func) == "builder" and mark.args:
                names.append(str(_literal(mark.args[0])))
    return tuple(names)


@dataclass
class _Class:
    """A class of the file as it is being read."""

    node: ast.ClassDef
    path: Path
    role: PluginRole
    oracle: bool
    name: str | None = None
    traits: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Parameter] = field(default_factory=dict)

    @classmethod
    def of(cls, node: ast.ClassDef, above: Mapping[str, _Class], path: Path) -> _Class | None:
        names = [_last_name(base) for base in node.bases]
        bases = [above[name] for name in names if name in above]
        roles = [_BASES[name] for name in names if name in _BASES]
        roles += [base.role for base in bases]
        if not roles:
            return None
        oracle = "OracleAttack" in names or any(base.oracle for base in bases)
        found = cls(node, path, roles[0], oracle)
        for base in reversed(bases):
            found.traits |= base.traits
            found.parameters |= base.parameters
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                annotation = statement.annotation
                outer = annotation.value if isinstance(annotation, ast.Subscript) else annotation
                if _last_name(outer) != "ClassVar":
                    found.add_parameter(statement, statement.target.id)
                elif statement.value is not None:
                    found.add_trait(statement.target.id, statement.value)
            elif isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        found.add_trait(target.id, statement.value)
        return found

    def fail(self, node: ast.stmt | ast.expr, text: str) -> NoReturn:
        raise DeclarationError(f"{self.path}:{node.lineno}: {self.node.name}: {text}")

    def literal(self, node: ast.expr, what: str) -> Any:
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError):
            example = '0.5, "word" or ("a", "b")'
            self.fail(node, f"{what} must be a literal, such as {example}, not `{ast.unparse(node)}`")

    def add_trait(self, name: str, node: ast.expr) -> None:
        """Take a class attribute that says something about the plug-in; pass over what is code."""
        if name in self.parameters:
            self.fail(node, f"{name} is a base class's parameter: annotate it to change its default")
        if name == "name":
            self.name = self.literal(node, "name")
            if not isinstance(self.name, str) or not _NAME.fullmatch(self.name) or self.name == "all":
                self.fail(node, f'name must be a word such as "prune", not {self.name!r}; "all" is taken')
        elif name in _TRAITS[self.role]:
            self.traits[name] = self.known_trait(name, self.literal(node, name), node)
        elif not name.startswith("_") and isinstance(value := _literal(node), str | int | float | tuple):
            if near := difflib.get_close_matches(name, _TRAITS[self.role], n=1, cutoff=0.85):
                self.fail(node, f"{name} is no known trait: write {near[0]}, or choose a name less like it")
            self.traits[name] = value

    def known_trait(self, name: str, value: Any, node: ast.expr) -> Any:
        wanted, _, allowed = _TRAITS[self.role][name]
        items = value if wanted is tuple and isinstance(value, tuple) else ()
        if wanted is tuple and (value != items or not all(isinstance(item, str) for item in items)):
            self.fail(node, f'{name} must be a tuple of strings, such as ("a", "b") or ("a",), not {value!r}')
        texts = (*value, *value.values()) if wanted is dict and isinstance(value, dict) else ()
        if wanted is dict and (not texts or not all(isinstance(text, str) for text in texts)):
            self.fail(node, f'{name} must hold texts by setting, such as {{"a=1": "why"}}, not {value!r}')
        if not isinstance(value, wanted):
            self.fail(node, f"{name} must be a {wanted.__name__}, not {value!r}")
        if allowed and value not in allowed:
            self.fail(node, f"{name} must be one of {', '.join(allowed)}, not {value!r}")
        if name == "settings" and not value:
            self.fail(node, 'settings must name at least one setting; ("",) stands for the defaults')
        return value

    def add_parameter(self, node: ast.AnnAssign, name: str) -> None:
        if name == "name" or name in _TRAITS[self.role]:
            self.fail(node, f"{name} is a trait: write it without an annotation, or as a ClassVar")
        kind, choices = self.annotation(name, node.annotation)
        example = f'{name}: {ast.unparse(node.annotation)} = parameter(<default>, "what it means")'
        if node.value is None:
            self.fail(node, f"{name} needs a default: write `{example}`")
        given: dict[str, Any] = {}
        if isinstance(node.value, ast.Call):
            call = node.value
            pairs: list[tuple[str | None, ast.expr]] = list(zip(("default", "doc"), call.args, strict=False))
            pairs += [(one.arg, one.value) for one in call.keywords]
            fits = {"default", "doc"} <= {key for key, _ in pairs} <= {"default", "doc", "low", "high"}
            if _last_name(call.func) != "parameter" or not fits or len(call.args) > 2:
                self.fail(node, f"write `{example}`, with low= and high= where it has a range")
            given = {str(key): self.literal(value, f"{key} of {name}") for key, value in pairs}
        else:
            given = {"default": self.literal(node.value, f"the default of {name}")}
        bounds = [given[key] for key in ("low", "high") if given.get(key) is not None]
        if bounds and not {type(bound).__name__ for bound in bounds} | {kind} <= {"int", "float"}:
            self.fail(node, f"low and high of {name} must be numbers, and {name} an int or a float")
        try:
            draft = Parameter(name, kind, choices, **given)
            self.parameters[name] = dataclasses.replace(draft, default=draft.check(draft.default))
        except BenchError as error:
            self.fail(node, f"the default of {error}")

    def annotation(self, name: str, node: ast.expr) -> tuple[str, tuple[Any, ...]]:
        """The type's name and the choices that an annotation stands for."""
        if isinstance(node, ast.Name) and node.id in TYPES:
            return node.id, ()
        if isinstance(node, ast.Subscript) and _last_name(node.value) == "Literal":
            choices = _literal(node.slice)
            choices = choices if isinstance(choices, tuple) else (choices,)
            kinds = {type(choice).__name__ for choice in choices}
            if len(kinds) == 1 and kinds <= set(TYPES):
                return kinds.pop(), choices
        wanted = 'int, float, bool, str or Literal["a", "b"]'
        self.fail(node, f"{name} takes {wanted}, not `{ast.unparse(node)}`; a trait has no annotation")

    def declaration(self, name: str, origin: Origin) -> Declaration:
        traits = {trait: default for trait, (_, default, _) in _TRAITS[self.role].items()} | self.traits
        for trait, value in traits.items():
            if value is _REQUIRED:
                allowed = " | ".join(_TRAITS[self.role][trait][2]) or "<word>"
                self.fail(self.node, f'an {self.role} must say its {trait}: write `{trait} = "{allowed}"`')
        if self.role == "attack" and (traits["kind"] in ORACLE_KINDS) != self.oracle:
            lane = f"is given the owner's key: write one of {', '.join(ORACLE_KINDS)}"
            wanted = lane if self.oracle else "is given no key: derive from OracleAttack, or write another kind"
            self.fail(self.node, f"its kind is {traits['kind']}, and it {wanted}")
        doc, parameters = ast.get_docstring(self.node) or "", tuple(self.parameters.values())
        one = Declaration(self.role, name, self.node.name, doc, traits, parameters, self.path, origin)
        texts = {parameter.name for parameter in parameters if parameter.type == "str"}
        if stray := [parameter for parameter in one.traits["file_parameters"] if parameter not in texts]:
            self.fail(self.node, f"file_parameters names {stray[0]}, which is no parameter of type str")
        if stray := sorted({*one.traits.get("secret_files", ())} - {*one.traits["file_parameters"]}):
            self.fail(self.node, f"secret_files names {stray[0]}, which is not among the file_parameters")
        for text in one.traits["settings"]:
            try:
                one.read(text)
            except BenchError as error:
                self.fail(self.node, f"the setting {text!r} is wrong: {error}")
        for trait in ("expected_failures", "expected_forgeries"):
            for text in one.traits.get(trait, ()):
                if text not in one.traits["settings"]:
                    self.fail(self.node, f"{trait} names {text!r}, which is not among the settings")
        return one


def _literal(node: ast.expr) -> Any:
    """The value of a literal; None for code."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return None


def _last_name(node: ast.expr) -> str:
    """`Attack` of `Attack` and of `contract.Attack`; the empty text for anything else."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
