"""A command for devices, and how it is to be carried out (TS-0001 9.6.16, TS-0004 7.4.16)."""

from collections.abc import Mapping
from typing import Any

from cse.datatypes import BOOLEAN, DURATION, LONG, NODE_ID, NON_NEG_INT, STRING, DataType, enum_of, shown
from cse.errors import BadRequest, InsufficientArguments, InvalidArguments, InvalidCmdtype, OperationNotAllowed
from cse.management import ARGUMENTS, EXEC_REQ_ARGS, CmdType, ExecModeType
from cse.record import Record
from cse.schema import Attribute, Change, ResourceType
from resources import _executions
from resources._common import CONSULTED, EXPIRES, LABELS, POLICIES, UNIVERSAL, unannounced

_CMD_TYPE = DataType("enum:cmdType", LONG.check, LONG.schema)
"""Any whole number: one that is no command has a response status code of its own (6022)."""

_LONGEST = 256
"""Characters of a description."""


def _on_create(change: Change, draft: dict[str, Any], parent: Record, _: Any) -> None:
    if draft["cmt"] not in ARGUMENTS:
        known = ", ".join(f"{int(command)} {command.name}" for command in CmdType)
        raise InvalidCmdtype(f"cmt (cmdType) must be one of {known}, not {draft['cmt']}")
    _check(draft)


def _check(attributes: Mapping[str, Any]) -> None:
    """Check what the table cannot say (procedures 13.1). Raises BadRequest, InvalidArguments, InsufficientArguments."""
    if len(attributes.get("dc", "")) > _LONGEST:
        raise BadRequest(f"dc (description) must have at most {_LONGEST} characters, not {len(attributes['dc'])}")
    if "exra" in attributes:
        _check_arguments(CmdType(attributes["cmt"]), attributes["exra"])


def _check_arguments(command: CmdType, given: Mapping[str, Any]) -> None:
    """Check that there is one element, of the kind that the command needs, with all that it must have."""
    name, kind = ARGUMENTS[command]
    if other := sorted(given.keys() - {name}):
        raise InvalidArguments(f"exra (execReqArgs) has the member {shown(other[0])}, which does not belong to the command {command.name}; it takes {name}")
    elements = given.get(name)
    if elements is None or elements == []:
        raise InsufficientArguments(f"exra (execReqArgs) needs one element in {name} for the command {command.name}")
    if type(elements) is not list or len(elements) > 1:
        raise InvalidArguments(f"exra.{name} must be a list of one element, not {shown(elements) if type(elements) is not list else len(elements)}")
    (element,) = elements
    if type(element) is dict and (missing := [row.short for row in kind.members if row.card == "1" and row.short not in element]):
        raise InsufficientArguments(f"exra.{name} lacks {', '.join(missing)}")
    try:
        kind.check(element)
    except ValueError as error:
        raise InvalidArguments(f"exra.{name} {error}") from None


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    after = record.with_attributes(changes).attributes
    _check(after)
    fixed = sorted({"ext", "exm"} & changes.keys())
    if fixed and _executions.instances(change, record):
        raise OperationNotAllowed(f"{fixed[0]} of {record.path} cannot be changed as long as it has execInstances")
    if changes.get("exe") is True:
        name, kind = ARGUMENTS[CmdType(after["cmt"])]
        if "exra" not in after and any(row.card == "1" for row in kind.members):
            raise InsufficientArguments(f"{record.path} cannot be executed without exra (execReqArgs) with {name}")
        _executions.start(change, record.with_attributes(changes))


TYPE = ResourceType(
    ty=12,
    short="m2m:mgc",
    name="mgmtCmd",
    spec="TS-0001 9.6.16",
    attributes=(
        *UNIVERSAL,
        *unannounced(EXPIRES, POLICIES, CONSULTED, LABELS),
        #         short   long             type                   card    create update announce default
        Attribute("dc",   "description",   STRING,                "0..1", "O",   "O",   "NA"),
        Attribute("cmt",  "cmdType",       _CMD_TYPE,             "1",    "M",   "NP",  "NA"),
        Attribute("exra", "execReqArgs",   EXEC_REQ_ARGS,         "0..1", "O",   "O",   "NA"),
        Attribute("exe",  "execEnable",    BOOLEAN,               "1",    "O",   "O",   "NA",    False),
        Attribute("ext",  "execTarget",    NODE_ID,               "1",    "M",   "O",   "NA"),
        Attribute("exm",  "execMode",      enum_of(ExecModeType), "0..1", "O",   "O",   "NA",    1),
        Attribute("exf",  "execFrequency", DURATION,              "0..1", "O",   "O",   "NA"),
        Attribute("exy",  "execDelay",     DURATION,              "0..1", "O",   "O",   "NA",    "PT0S"),
        Attribute("exn",  "execNumber",    NON_NEG_INT,           "0..1", "O",   "O",   "NA",    1),
    ),
    parents=frozenset({"cb"}),
    on_create=_on_create,
    on_update=_on_update,
)
