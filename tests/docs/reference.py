"""The reference pages, made of the code: ``documents`` gives every file of docs/reference."""

import ast
import inspect
import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from enum import IntEnum, IntFlag
from typing import Any, get_type_hints

from typer.models import ArgumentInfo

import apps.client
import cse.codes
import cse.datatypes
import cse.management
import cse.structures
from apps.cli import app
from bindings.coap.mapping import CODES
from bindings.coap.options import TABLE
from bindings.config import SECTIONS, rows
from bindings.definitions import SINGLE
from bindings.http.mapping import STATUS
from cse.codes import ResponseStatusCode
from cse.datatypes import DataType
from cse.errors import BY_CODE
from cse.schema import Attribute, ResourceType
from cse.validate import schema_of
from tests.drive import TYPES

_MADE = "*Written by `python -m tests.docs.generate`; changes belong into the code.*"


def documents() -> Mapping[str, str]:
    """Give the text of every file below docs/reference, by its relative path."""
    return {
        "types.md": _types(),
        "specialisations.md": _specialisations(),
        "data-types.md": _data_types(),
        "settings.md": _settings(),
        "commands.md": _commands(),
        "status-codes.md": _status_codes(),
        "coap-options.md": _coap_options(),
        "client.md": _client(),
        **{f"schemas/{name}.json": json.dumps(schema, indent=1, ensure_ascii=False) + "\n" for name, schema in _schemas()},
    }


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", _MADE, *(part.strip("\n") for part in parts)]) + "\n"


def _table(head: Iterable[str], lines: Iterable[Iterable[Any]]) -> str:
    head = list(head)
    written = [head, ["---"] * len(head), *([str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in written)


def _code(value: Any) -> str:
    return "" if value is None else f"`{json.dumps(value)}`"


def _first(doc: str | None) -> str:
    """Give the first paragraph of a docstring as one line."""
    return " ".join(inspect.cleandoc(doc or "").partition("\n\n")[0].split())


# Resource types


def _types() -> str:
    kinds = sorted(TYPES, key=lambda kind: kind.ty)
    overview = _table(
        ("ty", "short name", "resource type", "virtual children", "defined in"),
        ((kind.ty, f"`{kind.short}`", f"[{kind.name}](#{kind.name.lower()})", " ".join(f"`{name}`" for name in kind.virtual), kind.spec) for kind in kinds),
    )
    legend = (
        "In CREATE and UPDATE an attribute is mandatory (M), optional (O) or not permitted (NP). Cardinality 1: a resource always has it, null is refused; "
        "0..1: null in an UPDATE removes it. Announced: always (MA), on request (OA), never (NA). The types of values are in [data types](data-types.md)."
    )
    return _page("Resource types", overview, legend, *(_type(kind) for kind in kinds))


def _type(kind: ResourceType) -> str:
    present = [other for other in TYPES if other.short.removeprefix("m2m:") in kind.parents]
    parents = ", ".join(f"[{other.name}](#{other.name.lower()})" for other in present) or "none"
    missing = len(kind.parents) - len(present)
    schemas = [f"[{operation}](schemas/{kind.name}.{operation}.json)" for operation in _operations(kind) if kind.special is None]
    alone = "Only the CSE itself makes and changes it." if kind.special is None or not kind.api_create else ""
    made = f"JSON Schema of its content: {', '.join(schemas)}." if schemas else alone
    facts = [
        f"{kind.spec}, short name `{kind.short}`, resource type number {kind.ty}.",
        f"May be a child of: {parents}." + (f" The standard has {missing} further parents, which this CSE does not have." if missing else ""),
        made,
        _forms(kind),
    ]
    lines = ((f"`{row.short}`", row.long, f"`{row.type.name}`", row.card, row.create, row.update, row.announce, _code(row.default)) for row in kind.attributes)
    table = _table(("short", "long name", "type", "card.", "CREATE", "UPDATE", "announced", "default"), lines)
    return "\n\n".join([f"## {kind.name}", " ".join(filter(None, facts)), table])


def _forms(kind: ResourceType) -> str:
    """Say where the specialisations of a type are described."""
    if kind.special is None:
        return ""
    where = f"[specialisation](specialisations.md#{kind.name.lower()})" if kind.api_create else "specialisation"
    return f"Its root name and further attributes are those of its {where}" + (f", which `{kind.special.by}` names." if kind.api_create else ".")


def _specialisations() -> str:
    parts = []
    for kind in sorted(TYPES, key=lambda kind: kind.ty):
        if kind.special is not None and kind.api_create:
            forms = sorted(kind.special.kinds.items(), key=lambda item: item[1].name.lower())
            lines = ((f"`{form.short}`", f"[{form.name}](#{form.name.lower()})", f"`{value}`") for value, form in forms)
            parts += [f"## {kind.name}", f"Root name and `{kind.special.by}` fit together.", _table(("root", "specialisation", kind.special.by), lines)]
            parts += [_form(kind, value, form) for value, form in forms]
    legend = (
        "A specialisation has the attributes of its [type](types.md) and those below, some of which are stricter. Mandatory (M) is meant for CREATE; "
        "cardinality 0..1: null in an UPDATE removes the attribute."
    )
    return _page("Specialisations", legend, *parts)


def _form(kind: ResourceType, value: Any, form: ResourceType) -> str:
    rows_ = [row for row in form.attributes if row not in kind.attributes]
    lines = ((f"`{row.short}`", row.long, f"`{row.type.name}`", row.card, row.create, row.update, row.announce, _code(row.default)) for row in rows_)
    head = ("short", "long name", "type", "card.", "CREATE", "UPDATE", "announced", "default")
    table = _table(head, lines) if rows_ else "It has no attributes of its own."
    lacking = ", ".join(f"`{row.short}`" for row in kind.attributes if row.short not in form.names)
    facts = f"`{form.short}`, {kind.special.by if kind.special else ''} `{value}`." + (f" It has no {lacking}." if lacking else "")
    return f"### {form.name}\n\n{facts}\n\n{table}"


def _operations(kind: ResourceType) -> list[str]:
    def any_permitted(presence: Iterable[str]) -> bool:
        return any(each != "NP" for each in presence)

    rows_: tuple[Attribute, ...] = kind.attributes
    permitted = {"create": any_permitted(row.create for row in rows_), "update": any_permitted(row.update for row in rows_)}
    return [operation for operation, found in permitted.items() if found]


def _schemas() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind in TYPES:
        if kind.special is not None:
            continue
        schemas = schema_of(kind)
        for operation in _operations(kind):
            yield f"{kind.name}.{operation}", schemas[operation]


# Data types


def _data_types() -> str:
    structures = _by_name(each for each in _named() if each.members)
    forms = [form for kind in TYPES for form in (kind, *(kind.special.kinds.values() if kind.special else ()))]
    used = {row.type.name for kind in forms for row in kind.attributes} | {row.type.name for each in structures for row in each.members}
    used |= {each.name for each in SINGLE}
    simple = _by_name(each for each in vars(cse.datatypes).values() if isinstance(each, DataType) and {each.name, f"list<{each.name}>"} & used)
    enumerations = [
        each
        for each in (*vars(cse.codes).values(), *vars(cse.management).values())
        if inspect.isclass(each) and issubclass(each, IntEnum | IntFlag) and each not in (IntEnum, IntFlag, ResponseStatusCode)
    ]
    return _page(
        "Data types",
        "What the values of attributes must be. `list<X>` is a JSON array of `X`.",
        "## Simple types",
        _table(("type", "a value is"), ((f"`{each.name}`", _demand(each)) for each in simple)),
        "## Complex types",
        *(_structure(each) for each in structures),
        "## Enumerations",
        *(_enumeration(each) for each in enumerations),
        "## Sets of numbers",
        _table(("type", "values"), ((f"`enum:{each.name.removeprefix('enum:')}`", _values(each)) for each in _sets(used, enumerations))),
    )


def _sets(used: Set[str], enumerations: Iterable[type]) -> list[DataType]:
    """Give the types of numbers that have no names, as far as they are used."""
    named = {_first(each.__doc__).split()[0].strip(":") for each in enumerations}
    found = _by_name(each for each in _named() if each.name.startswith("enum:"))
    return [each for each in found if {each.name, f"list<{each.name}>"} & used and each.name.removeprefix("enum:") not in named]


def _values(kind: DataType) -> str:
    """Give the values of a type of numbers, neighbours as a range."""
    ranges: list[list[int]] = []
    for value in sorted(int(each) for each in kind.schema["enum"]):
        if ranges and value == ranges[-1][1] + 1:
            ranges[-1][1] = value
        else:
            ranges.append([value, value])
    return ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in ranges)


def _named() -> Iterator[DataType]:
    """Give complex types and sets of numbers."""
    return (each for module in (cse.structures, cse.management) for each in vars(module).values() if isinstance(each, DataType))


def _by_name(kinds: Iterable[DataType]) -> list[DataType]:
    return sorted({each.name: each for each in kinds}.values(), key=lambda each: each.name.lower())


def _demand(kind: DataType) -> str:
    """Ask the checker what it wants: how it refuses a value that fits nothing."""
    try:
        kind.check(object())
    except ValueError as error:
        demand = str(error).partition(", not ")[0].removeprefix("must be ")
        return f"{demand}, or milliseconds from now" if kind is cse.datatypes.ABS_REL_TIMESTAMP else demand
    raise AssertionError(f"{kind.name} takes anything")


def _structure(kind: DataType) -> str:
    lines = ((f"`{row.short}`", row.long, f"`{row.type.name}`", row.card) for row in kind.members)
    return f"### {kind.name.removeprefix('complex:')}\n\n" + _table(("short", "long name", "type", "card."), lines)


def _enumeration(kind: type[IntEnum | IntFlag]) -> str:
    return f"### {kind.__name__}\n\n{_first(kind.__doc__)}\n\n" + _table(("value", "name"), ((int(each), each.name) for each in kind))


# Settings, commands


def _settings() -> str:
    kinds = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    parts = [
        "A setting is a key in a section of the TOML file of `cse serve --config FILE`, or `--set section.key=value` on the command line, which wins. "
        "An unknown key or a value of another type is an error that names it.",
    ]
    for section, doc in SECTIONS.items():
        found = [row for row in rows() if row.section == section]
        lines = ((f"`{row.key}`", kinds.get(row.type, "list of texts"), _code(row.default), row.doc) for row in found)
        parts += [f"## {section}", doc, _table(("key", "value", "default", "meaning"), lines)]
    return _page("Settings", *parts)


def _commands() -> str:
    parts = ["`cse --version` prints the version; `cse COMMAND --help` shows what is here."]
    below = [(f"{group.name} ", command) for group in app.registered_groups for command in (group.typer_instance or app).registered_commands]
    for before, command in [*(("", command) for command in app.registered_commands), *below]:
        function = command.callback
        assert function is not None
        name = before + (command.name or function.__name__.replace("_", "-"))
        parts += [f"## cse {name}", _first(function.__doc__), _table(("option", "meaning", "default"), _options(function))]
    return _page("Commands", *parts)


def _options(function: Callable[..., Any]) -> Iterator[tuple[str, str, str]]:
    """Give spelling, meaning and default of what a command takes."""
    defaults = {name: each.default for name, each in inspect.signature(function).parameters.items()}
    for name, hint in get_type_hints(function, include_extras=True).items():
        for info in getattr(hint, "__metadata__", ()):
            declared = [each for each in (info.default, *(info.param_decls or ())) if isinstance(each, str) and each.startswith("-")]
            value = info.metavar or ("" if defaults[name] is False else name.upper())
            spelled = value if isinstance(info, ArgumentInfo) else f"{' '.join(declared) or '--' + name.replace('_', '-')} {value}".strip()
            default = "" if defaults[name] in (None, False, inspect.Parameter.empty) else f"`{defaults[name]}`"
            yield f"`{spelled}`", info.help or "", default


# Codes and options


def _status_codes() -> str:
    def line(code: ResponseStatusCode) -> tuple[str, ...]:
        error = BY_CODE.get(code)
        coap = CODES[code]
        meaning = "" if error is None else _first(error.__doc__).removesuffix(".").removesuffix(f"({int(code)})").strip()
        return f"{int(code)}", code.name, str(STATUS[code]), f"{coap >> 5}.{coap & 31:02}", "" if error is None else f"`{error.__name__}`", meaning

    return _page(
        "Response status codes",
        "Every response status code of TS-0004 6.6.3 with its HTTP status (TS-0009 6.3.2), its CoAP code (TS-0008 6.2.4) and the exception of `cse.errors` "
        "that makes it; the [client library](client.md) raises the same one. Not all of them occur in this CSE. A refusal carries a sentence that says why: "
        '`{"m2m:dbg": "..."}`. HTTP alone answers 413 for a body over the limit and 408 for one that does not come; their codes are 4000 and 4008.',
        _table(("code", "name", "HTTP", "CoAP", "exception", "meaning"), (line(code) for code in ResponseStatusCode)),
    )


def _coap_options() -> str:
    lines = ((f"oneM2M-{each.name}", f"`{each.parameter}`", each.number, each.old or "", "text" if each.text else "number", each.longest) for each in TABLE)
    return _page(
        "CoAP options",
        "The options of TS-0008 6.2.2. Requests may use the numbers of Release 3 and later or those of Releases 1 and 2; the answer has those of its request.",
        _table(("option", "parameter", "number", "number in R1, R2", "value", "longest, bytes"), lines),
    )


# The client library


def _client() -> str:
    parts = ["What `from apps.client import ...` gives. Every address may be a text or a `Resource`."]
    for name in apps.client.__all__:
        found = getattr(apps.client, name)
        if inspect.isclass(found) and issubclass(found, IntEnum | IntFlag):
            continue
        parts.append(f"## {name}")
        if inspect.isclass(found):
            parts += [_prose(found.__doc__), *_methods(found)]
        else:
            parts += [_signature(found), _prose(found.__doc__)]
    enumerations = [name for name in apps.client.__all__ if inspect.isclass(found := getattr(apps.client, name)) and issubclass(found, IntEnum | IntFlag)]
    listed = ", ".join(f"[{name}](data-types.md#{name.lower()})" for name in sorted(enumerations))
    return _page("Client library", *parts, "## Enumerations", f"{listed}.")


def _prose(doc: str | None) -> str:
    return inspect.cleandoc(doc or "").replace("``", "`")


def _methods(kind: type) -> Iterator[str]:
    for name, member in vars(kind).items():
        function = member.__func__ if isinstance(member, classmethod) else member.fget if isinstance(member, property) else member
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        yield f"### {kind.__name__}.{name}"
        if not isinstance(member, property):
            yield _signature(function)
        yield _prose(function.__doc__)


def _signature(function: Any) -> str:
    node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    if node.args.args and node.args.args[0].arg in ("self", "cls"):
        node.args.args.pop(0)
    word = "await " if isinstance(node, ast.AsyncFunctionDef) else ""
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"```text\n{word}{node.name}({ast.unparse(node.args)}){returns}\n```"
