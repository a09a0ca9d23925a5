"""The OpenAPI description of the HTTP binding, made of the resource types' tables and of what the mapping reads (OpenAPI 3.1, TS-0009 6)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from bindings import query
from bindings.http import mapping
from bindings.serialization import Media
from cse.codes import ResponseStatusCode
from cse.schema import ResourceType
from cse.validate import schema_of

HEADERS: Mapping[str, str] = {
    "X-M2M-Origin": "From: the originator. Only the registration of an AE may leave it out.",
    "X-M2M-RI": "Request Identifier.",
    "X-M2M-RVI": "Release Version Indicator.",
    "X-M2M-GID": "Group Identifier.",
    "X-M2M-OT": "Originating Timestamp.",
    "X-M2M-VSI": "Vendor Information.",
    "X-M2M-RET": "Request Expiration Timestamp: a timestamp, or milliseconds from now.",
    "X-M2M-RST": "Result Expiration Timestamp: a timestamp, or milliseconds from now.",
    "X-M2M-OET": "Operation Execution Time: a timestamp, or milliseconds from now.",
    "X-M2M-EC": "Event Category.",
    "X-M2M-GTM": "Group Request Target Members, joined by +.",
    "X-M2M-RTU": "Notification URIs of a Response Type, joined by &.",
    "X-M2M-AS": "Authorization Signatures, joined by +.",
    "X-M2M-OMR": "Ontology Mapping Resources, joined by +.",
    "X-M2M-PRPI": "Primitive Profile Identifier.",
    "X-M2M-MSU": "M2M Service User.",
    "Authorization": "A secret of http.credentials (Bearer), or tokens joined by +.",
}
"""What each header of a request is, for all that the mapping reads."""

PARAMETERS: Mapping[str, str] = {
    "rcn": "Result Content", "drt": "Desired Identifier Result Type", "gstn": "Group Request Target Members strategy", "da": "Delivery Aggregation",
    "sqi": "Semantic Query Indicator", "rp": "Result Persistence", "rt": "Response Type", "atrl": "Attribute list of a partial RETRIEVE",
    "rids": "Role IDs", "tids": "Token IDs", "ltids": "Local Token IDs", "tkns": "Tokens", "tqi": "Token Request Indicator",
    "asi": "Authorization Signature Indicator", "auri": "Authorization Relationship Indicator",
    "crb": "createdBefore", "cra": "createdAfter", "ms": "modifiedSince", "us": "unmodifiedSince", "exb": "expireBefore", "exa": "expireAfter",
    "sts": "stateTagSmaller", "stb": "stateTagBigger", "sza": "sizeAbove", "szb": "sizeBelow", "fu": "filterUsage", "fo": "filterOperation",
    "lim": "limit", "lvl": "level", "ofst": "offset", "ops": "operations", "arp": "applyRelativePath", "lbl": "labels", "clbl": "childLabels",
    "palb": "parentLabels", "lbq": "labelsQuery", "ty": "resourceType", "chty": "childResourceType", "pty": "parentResourceType",
    "cty": "contentType", "smf": "semanticsFilter", "cfs": "contentFilterSyntax", "cfq": "contentFilterQuery", "gmty": "geometryType",
    "geom": "geometry", "gsf": "geoSpatialFunction",
}
"""What each parameter of a query is, for all that it may hold beside attributes to match."""

_NUMBER = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
_TEXT = {"type": "string", "minLength": 1}
_VALUES: Mapping[Callable[[str, str], Any], Mapping[str, Any]] = {
    query.number_of: _NUMBER,
    query.truth_of: {"type": "boolean"},
    query.text_of: _TEXT,
    query.moment: _TEXT,
}
_NARROWED: Mapping[str, Mapping[str, Any]] = {
    "X-M2M-RI": {"type": "string", "pattern": "^[!-~]{1,64}$"},
    "X-M2M-Origin": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "X-M2M-EC": _NUMBER,
}
_REQUIRED = frozenset({"X-M2M-RI", "X-M2M-RVI"})

_RETRIEVE, _CREATE, _UPDATE, _DELETE = "get", "post", "put", "delete"
_SUCCESS: Mapping[str, tuple[int, ...]] = {_RETRIEVE: (200, 202), _CREATE: (200, 201, 202), _UPDATE: (200, 202), _DELETE: (200, 202)}
_OWN: Mapping[int, str] = {408: "The body did not come in time.", 413: "The body is larger than the limit of this CSE."}
_JSON = Media.JSON.value


def document(forms: Iterable[ResourceType], cse_id: str, cse_name: str, releases: tuple[str, ...], version: str) -> dict[str, Any]:
    """Give the description of a CSE with these resource types and their specialisations."""
    forms = tuple(forms)
    virtual = sorted({name for kind in forms for name in kind.virtual})
    targets = {
        f"/{cse_name}": ("base", "the CSEBase"),
        f"/{cse_name}/{{name}}": ("child", "a child of the CSEBase by its structured address; what is below it has more segments"),
        "/{ri}": ("resource", "a resource by its unstructured identifier"),
        f"/~{cse_id}/{{ri}}": ("spRelative", "the same by its SP-relative address"),
        **{f"/{{ri}}/{name}": (name, f"the virtual resource {name} of a resource") for name in virtual},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"oneM2M CSE {cse_id}",
            "version": version,
            "description": "The HTTP binding of oneM2M (TS-0009) as this CSE serves it. Every resource has all of the addresses that are described here.",
        },
        "servers": [{"url": "/"}],
        "paths": {path: _path(forms, name, what, path) for path, (name, what) in targets.items()},
        "components": {"schemas": dict(_schemas(forms)), "parameters": dict(_parameters(releases)), "headers": _headers(releases)},
    }


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _component(kind: ResourceType, operation: str = "") -> str:
    return "-".join([kind.short.replace(":", "."), *([operation] if operation else [])])


def _path(forms: tuple[ResourceType, ...], name: str, what: str, path: str) -> dict[str, Any]:
    placed = [_reference("parameters", found) for found in ("ri", "name") if f"{{{found}}}" in path]
    shared = [_reference("parameters", header) for header in HEADERS if header != "Authorization"]
    queried = [_reference("parameters", f"query.{found}") for found in PARAMETERS]

    def operation(method: str, verb: str, does: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = {"operationId": f"{verb}.{name}", "summary": f"{does} {what}", "tags": [name], "parameters": queried}
        if body is not None:
            found["requestBody"] = {"required": True, "content": body}
        return {**found, "responses": dict(_responses(method))}

    return {
        "parameters": [*placed, *shared],
        _RETRIEVE: operation(_RETRIEVE, "retrieve", "RETRIEVE, or discover below,"),
        _CREATE: operation(_CREATE, "create", "CREATE a child of, or NOTIFY,", _creation(forms)),
        _UPDATE: operation(_UPDATE, "update", "UPDATE", {_JSON: {"schema": _reference("schemas", "update")}}),
        _DELETE: operation(_DELETE, "delete", "DELETE"),
    }


def _creation(forms: tuple[ResourceType, ...]) -> dict[str, Any]:
    """Give the contents of a POST: the parameter ty of Content-Type makes a CREATE of it, without it is a NOTIFY."""
    numbers = sorted({kind.ty for kind in forms if kind.api_create})
    found = {f"{_JSON};ty={ty}": {"schema": _reference("schemas", f"create-{ty}")} for ty in numbers}
    return {**found, _JSON: {"schema": _reference("schemas", "notification")}}


def _schemas(forms: tuple[ResourceType, ...]) -> Iterator[tuple[str, Any]]:
    created: dict[int, list[dict[str, str]]] = {}
    updated, shown = {}, {}
    for kind in forms:
        name = _component(kind)
        shown[kind.short] = _reference("schemas", name)
        yield name, _representation(kind)
        if kind.special is not None:
            continue  # only its forms are written
        documents = {operation: _plain(schema) for operation, schema in schema_of(kind).items()}
        if kind.api_create:
            yield _component(kind, "create"), documents["create"]
            created.setdefault(kind.ty, []).append(_reference("schemas", _component(kind, "create")))
        if documents["update"]["properties"][kind.short]["properties"]:
            yield _component(kind, "update"), documents["update"]["properties"][kind.short]
            updated[kind.short] = _reference("schemas", _component(kind, "update"))
    for ty, several in created.items():
        yield f"create-{ty}", several[0] if len(several) == 1 else {"oneOf": several}
    yield "update", _one_of(updated)
    yield "notification", {"type": "object", "minProperties": 1, "maxProperties": 1, "description": "m2m:sgn or m2m:agn, or what a resource takes"}
    yield "error", {"type": "object", "required": ["m2m:dbg"], "properties": {"m2m:dbg": {"type": "string", "minLength": 1}}, "additionalProperties": False}
    texts = {"type": "array", "items": _TEXT}
    reference = {"type": "object", "required": ["val", "nm", "typ"], "properties": {"val": _TEXT, "nm": _TEXT, "typ": _NUMBER, "spty": {}}}
    results = {
        "m2m:uri": _TEXT,
        "m2m:uril": texts,
        "m2m:rrl": {"type": "object", "required": ["rrf"], "properties": {"rrf": {"type": "array", "items": reference}}},
        "m2m:rce": {"type": "object", "required": ["uri"], "properties": {"uri": _TEXT}, "minProperties": 2, "maxProperties": 2},
        "m2m:agr": {"type": "object", "required": ["m2m:rsp"], "properties": {"m2m:rsp": {"type": "array", "items": {"type": "object"}}}},
        "m2m:rqp": {"type": "object"},
        "m2m:rsp": {"type": "object"},
    }
    yield "result", _one_of({**shown, **results})


def _one_of(roots: Mapping[str, Any]) -> dict[str, Any]:
    """Give the schema of an object with one root member out of many; cheaper to check and to read than an alternative for each."""
    return {"type": "object", "properties": roots, "minProperties": 1, "maxProperties": 1, "additionalProperties": False}


def _representation(kind: ResourceType) -> dict[str, Any]:
    """Give what an answer shows of a resource: some attributes (rcn 9 shows removed ones as null), and children by their short names or as references."""
    properties = {row.short: {"title": row.long, "anyOf": [row.type.schema, {"type": "null"}]} for row in kind.attributes}
    return {
        "title": f"{kind.short}: {kind.name} ({kind.spec})",
        "type": "object",
        "properties": {**properties, "ch": {"title": "childResource references", "type": "array"}},
        "patternProperties": {"^[A-Za-z0-9]+:": {"type": "array", "items": {"type": "object"}}},
        "additionalProperties": False,
    }


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "$schema"}


def _parameters(releases: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    address = {"type": "string", "pattern": "^[A-Za-z0-9._~-]{1,64}$"}
    yield "ri", {"name": "ri", "in": "path", "required": True, "description": "Unstructured resource identifier.", "schema": address}
    yield "name", {"name": "name", "in": "path", "required": True, "description": "Resource name.", "schema": address}
    for header, text in HEADERS.items():
        if header != "Authorization":  # OpenAPI has another place for it
            schema = {"enum": list(releases)} if header == "X-M2M-RVI" else _NARROWED.get(header, {"type": "string", "pattern": "^[!-~]{1,255}$"})
            yield header, {"name": header, "in": "header", "required": header in _REQUIRED, "description": text, "schema": schema}
    for name, reads, many in query.parameters():
        schema = {"type": "array", "items": _VALUES[reads], "minItems": 1} if many else _VALUES[reads]
        style = {"style": "form", "explode": True} if many else {}
        yield f"query.{name}", {"name": name, "in": "query", "description": PARAMETERS[name], "schema": schema, **style}


def _headers(releases: tuple[str, ...]) -> dict[str, Any]:
    """Give the headers of answers; a release is told as the request had it, whatever that was."""
    numbers = ("X-M2M-EC", "X-M2M-CTS", "X-M2M-CTO")
    found: dict[str, Any] = {name: {"schema": _NUMBER if name in numbers else {"type": "string"}} for name in mapping.RESPONSE_HEADERS if name != "X-M2M-RSC"}
    release: dict[str, Any] = {"schema": {"type": "string", "examples": list(releases)}}
    return {**found, "X-M2M-RVI": release, "Content-Location": {"description": "Address of the new resource.", "schema": {"type": "string"}}}


def _responses(method: str) -> Iterator[tuple[str, dict[str, Any]]]:
    codes: dict[int, list[int]] = {408: [4008], 413: [4000]}
    for code, status in mapping.STATUS.items():
        if status >= 400 or status in _SUCCESS[method]:
            codes.setdefault(status, []).append(code)
    for status, several in sorted(codes.items()):
        told = {"description": "Response Status Code.", "required": True, "schema": {"type": "integer", "enum": sorted(several)}}
        more = [name for name in mapping.RESPONSE_HEADERS if name != "X-M2M-RSC"] + (["Content-Location"] if status == 201 else [])
        content = {"schema": _reference("schemas", "result" if status < 400 else "error")}
        yield (
            str(status),
            {
                "description": _OWN.get(status) or "; ".join(f"{code} {ResponseStatusCode(code).name}" for code in sorted(several)),
                "headers": {"X-M2M-RSC": told, **{name: _reference("headers", name) for name in more}},
                "content": {_JSON: content, Media.CBOR.value: content},
            },
        )
