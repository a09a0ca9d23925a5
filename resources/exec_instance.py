"""One execution of a command at one device, made by the CSE (TS-0001 9.6.17, TS-0004 7.4.17)."""

from dataclasses import replace
from typing import Any

from cse.datatypes import BOOLEAN, DURATION, NODE_ID, NON_NEG_INT, enum_of
from cse.management import EXEC_REQ_ARGS, ExecModeType, ExecResultType, ExecStatusType
from cse.record import Record
from cse.schema import Attribute, Change, ResourceType
from resources import _executions
from resources._common import CONSULTED, EXPIRES, LABELS, POLICIES, UNIVERSAL, kept, unannounced


def _on_update(change: Change, record: Record, changes: dict[str, Any], _: Any) -> None:
    if changes.get("exd") is True:
        changes |= _executions.cancel(change, record)


TYPE = ResourceType(
    ty=8,
    short="m2m:exin",
    name="execInstance",
    spec="TS-0001 9.6.17",
    attributes=(
        *kept(*UNIVERSAL),
        *(replace(row, create="NP") for row in unannounced(EXPIRES, POLICIES, CONSULTED, LABELS)),
        #         short   long             type                     card    create update announce default
        Attribute("exs",  "execStatus",    enum_of(ExecStatusType), "1",    "NP",  "NP",  "NA",    1),
        Attribute("exr",  "execResult",    enum_of(ExecResultType), "1",    "NP",  "NP",  "NA"),
        Attribute("exd",  "execDisable",   BOOLEAN,                 "0..1", "NP",  "O",   "NA"),
        Attribute("ext",  "execTarget",    NODE_ID,                 "1",    "NP",  "NP",  "NA"),
        Attribute("exm",  "execMode",      enum_of(ExecModeType),   "0..1", "NP",  "NP",  "NA",    1),
        Attribute("exf",  "execFrequency", DURATION,                "0..1", "NP",  "NP",  "NA"),
        Attribute("exy",  "execDelay",     DURATION,                "0..1", "NP",  "NP",  "NA",    "PT0S"),
        Attribute("exn",  "execNumber",    NON_NEG_INT,             "0..1", "NP",  "NP",  "NA",    1),
        Attribute("exra", "execReqArgs",   EXEC_REQ_ARGS,           "0..1", "NP",  "NP",  "NA"),
    ),
    parents=frozenset({"mgc"}),
    api_create=False,
    on_update=_on_update,
    on_delete=_executions.withdraw,
    on_due=_executions.begin_due,
)
