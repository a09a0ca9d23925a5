"""The values that a flexContainer had at one moment, kept by the CSE (Release 4: TS-0001 9.6.60)."""

from collections.abc import Iterable
from dataclasses import replace

from cse.datatypes import ID, NON_NEG_INT
from cse.schema import Attribute, Definition, ResourceType, Specialisations, specialised
from resources._common import ANNOUNCEABLE, CREATED, EXPIRES, ID_ROW, LABELS, LOCATION, MODIFIED, NAME, PARENT, TYPE_ROW, kept, unannounced

TYPE = ResourceType(
    ty=58,
    short="m2m:fcin",
    name="flexContainerInstance",
    spec="TS-0001 9.6.60",
    attributes=(
        TYPE_ROW,
        ID_ROW,
        *kept(replace(NAME, announce="OA")),
        PARENT,
        CREATED,
        *kept(EXPIRES, LABELS, LOCATION),
        #         short  long           type         card    create update announce
        Attribute("cs",  "contentSize", NON_NEG_INT, "0..1", "NP",  "NP",  "NA"),
        Attribute("org", "originator",  ID,          "1",    "NP",  "NP",  "NA"),
        MODIFIED,
        *kept(*unannounced(*ANNOUNCEABLE)),
    ),
    parents=frozenset({"fcnt", "fcntA"}),
    instance=True,
    api_create=False,
    special=Specialisations("cnd", {}),
)


def defined(definitions: Iterable[Definition]) -> ResourceType:
    """Give the type with the form of each definition: the root name and, kept by the CSE, the custom attributes of its parent."""
    forms = {each.cnd: specialised(TYPE, each.short, f"{TYPE.name} of {each.name}", f"cnd {each.cnd}", kept(*each.attributes)) for each in definitions}
    return replace(TYPE, special=Specialisations("cnd", forms))
