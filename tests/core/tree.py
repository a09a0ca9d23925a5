"""The small tree that the tests of the procedures start from: the AE ``Cmeter`` as cse-in/meter, with the container cse-in/meter/power."""

from typing import Any

from cse.codes import ResponseStatusCode as RSC
from cse.config import Settings
from cse.primitives import Call, Response
from tests.drive import Answer, Driven

AE, POWER = "cse-in/meter", "cse-in/meter/power"
ME, OTHER = "Cmeter", "Cother"


def world(**settings: Any) -> Driven:
    """Give a CSE with the AEs Cmeter (cse-in/meter) and Cother (cse-in/other), and a container of the first."""
    cse = Driven(settings=Settings(**{"acp_create_open": True, "expiration_check_interval": 0.001, **settings}))
    for stem in (ME, OTHER):
        register(cse, stem, rn=stem[1:])
    of(cse.create(AE, 3, {"m2m:cnt": {"rn": "power"}}, ME))
    return cse


def register(cse: Driven, fr: str | None, to: str = "cse-in", **attributes: Any) -> Response:
    """Register an AE with what is mandatory and ``attributes``."""
    return cse.create(to, 2, {"m2m:ae": {"api": "Nmeter", "rr": False, "srv": ["4"], **attributes}}, fr)


def container(cse: Driven, rn: str, to: str = AE, fr: str = ME, **attributes: Any) -> str:
    """Create a container and give its structured address."""
    of(cse.create(to, 3, {"m2m:cnt": {"rn": rn, **attributes}}, fr))
    return f"{to}/{rn}"


def put(cse: Driven, con: Any = "x", to: str = POWER, fr: str = ME, **attributes: Any) -> dict[str, Any]:
    """Create a contentInstance and give its attributes."""
    return of(cse.create(to, 4, {"m2m:cin": {"con": con, **attributes}}, fr))


def policy(cse: Driven, rn: str, *rules: dict[str, Any], pvs: list[dict[str, Any]] | None = None) -> str:
    """Create an accessControlPolicy below the CSEBase and give its structured address; without ``pvs`` the admin alone may change it."""
    content = {"rn": rn, "pv": {"acr": list(rules)}, "pvs": {"acr": pvs or [rule("CAdmin", 63)]}}
    of(cse.create("cse-in", 1, {"m2m:acp": content}))
    return f"cse-in/{rn}"


def rule(originator: str, operations: int, **more: Any) -> dict[str, Any]:
    """Give an accessControlRule."""
    return {"acor": [originator], "acop": operations, **more}


def of(response: Response) -> dict[str, Any]:
    """Give the attributes in a response that must be a success."""
    assert response.ok, response
    (found,) = response.pc.values()
    assert isinstance(found, dict)
    return found


def seen(cse: Driven, path: str, fr: str = "CAdmin") -> dict[str, Any]:
    """Give the attributes of a resource as they are now."""
    return of(cse.retrieve(path, fr))


def contents(cse: Driven, path: str = POWER) -> list[Any]:
    """Give the contents of the instances of a container, oldest first."""
    return [found["con"] for found in of(cse.retrieve(path, rcn=8)).get("m2m:cin", [])]


def answering(rsc: RSC, **more: Any) -> Answer:
    """Give an answer for every call."""

    def answer(call: Call) -> Response:
        return Response(rsc, call.request.rqi, **more)

    return answer
