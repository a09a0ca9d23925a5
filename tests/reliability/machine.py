"""Random requests to a CSE and to the model of tests.reliability.rules: after each step they must agree."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from bindings.http.client import HttpSender
from cse.codes import Operation
from cse.config import Settings
from cse.datatypes import timestamp
from cse.primitives import Request, Response
from cse.storage import open_store
from tests.drive import TYPES, Driven
from tests.reliability import rules
from tests.reliability.rules import ACP, ADMIN, AE, BASE, CIN, CNT, CONDITIONS, GRP, OK, SHORT, SUB, Conditions, Model, Node, R, Said

START = 1_750_000_000
ORIGINATORS = (ADMIN, "Ca", "Cb", "Cc")
NAMES = {AE: ("a", "b", "c"), CNT: ("x", "y", "la"), CIN: (), SUB: ("s", "t"), GRP: ("g", "h"), ACP: ("p", "q")}
LABELS = ("red", "green", "blue:1")
_FORMS = 6

number = st.integers(0, 10**6)
originator = st.sampled_from(ORIGINATORS)
labels = st.none() | st.lists(st.sampled_from(LABELS), min_size=1, max_size=2, unique=True)
privileges = st.lists(
    st.fixed_dictionaries(
        {"acor": st.lists(st.sampled_from(("all", *ORIGINATORS[1:])), min_size=1, max_size=2), "acop": st.sampled_from((63, 2, 34, 3, 12, 48))}
    ),
    min_size=1,
    max_size=2,
).map(lambda found: {"acr": found})
depth = st.none() | st.integers(1, 3)
patterns = st.lists(st.sampled_from((*LABELS, "*e*", "blue*")), min_size=1, max_size=2).map(tuple)
some_types = st.lists(st.sampled_from((AE, CNT, CIN, SUB, GRP, ACP)), min_size=1, max_size=3, unique=True).map(tuple)
small = st.integers(1, 12)
conditions = st.builds(
    lambda fo, found: Conditions(fo=fo, **found),
    st.sampled_from((1, 1, 2, 3)),
    st.fixed_dictionaries(
        {},
        optional={
            "ty": some_types,
            "pty": some_types,
            "chty": some_types,
            "lbl": patterns,
            "clbl": patterns,
            "palb": patterns,
            "rn": st.sampled_from(("x", "i*", "*", "g")),
            "sza": small,
            "szb": small,
            "stb": small,
            "sts": small,
            "cra": st.integers(0, 60),
            "crb": st.integers(0, 60),
            "exb": st.integers(0, 60),
        },
    ),
)
_MOMENTS = ("cra", "crb", "exb")


class Machine(RuleBasedStateMachine):
    """What all machines do. A subclass says what the CSE is, and whether its clock is ours (``timed``)."""

    timed: ClassVar[bool] = True
    target: ClassVar[str] = "http://target.example/told"
    steps: ClassVar[int] = 0
    """Requests compared, over all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(START)
        self.count = 0
        self.gone: list[str] = [f"{BASE}/none"]

    def send(self, request: Request) -> Response:
        """Answer a request."""
        raise NotImplementedError

    # --- what is asked for ----------------------------------------------------------------------------------------------------------------------------------

    def _place(self, pick: int, *types: int) -> str:
        """Choose an address: of a resource of some types where there is one, now and then of one that is gone."""
        found = [node.path for node in self.model.all() if not types or node.ty in types] or [BASE]
        found = [*found, *found, *found, *self.gone[-2:]]
        return found[pick % len(found)]

    def _form(self, path: str, pick: int) -> str:
        """Write an address in one of the forms (TS-0001 7.2): structured, ``-``, SP-relative, absolute, unstructured, hybrid."""
        node, rest = self.model.find(path), path.removeprefix(BASE)
        ri = "" if node is None else node.ri
        hybrid = "" if node is None or node.parent is None else f"{node.parent.ri}/{node.name}"
        forms = (path, f"-{rest}", f"/id-in/{path}", f"//acme.example.com/id-in/-{rest}", ri or path, hybrid or path)
        return forms[pick % _FORMS]

    def _ask(self, op: Operation, fr: str, to: str, **more: Any) -> Response:
        self.count += 1
        type(self).steps += 1
        return self.send(Request(op, to, fr, f"q{self.count}", "4", **more))

    def _agree(self, said: Said, answer: Response, what: str) -> None:
        assert int(answer.rsc) == said.rsc, f"{what}: the model says {said.rsc}, the CSE {int(answer.rsc)} {answer.pc}"
        if said.shown is not None and said.paths is None:
            [found] = answer.pc.values()
            self._same(said.shown, found, what)

    def _same(self, wanted: dict[str, Any], found: dict[str, Any], what: str) -> None:
        for name, value in wanted.items():
            if name != "ends":
                assert found.get(name) == value, f"{what}: {name} is {found.get(name)!r}, the model says {value!r}"
            elif self.timed and value is not None:
                assert _seconds(found["et"]) == value, f"{what}: et is {found['et']}, the model says {value - START} s after the start"

    def _body(self, ty: int, attributes: dict[str, Any]) -> dict[str, Any]:
        found = {name: value for name, value in attributes.items() if name != "ends"}
        if "ends" in attributes:
            found["et"] = timestamp(attributes["ends"])
        return {SHORT[ty]: found}

    # --- CREATE ---------------------------------------------------------------------------------------------------------------------------------------------

    def _create(self, fr: str, to: str, form: int, ty: int, attributes: dict[str, Any], ends: int | None = None) -> None:
        given = {name: value for name, value in attributes.items() if value is not None}
        if ends is not None and self.timed:
            given["ends"] = self.model.now + ends
        address = self._form(to, form)
        extra: dict[str, Any] = {}
        match ty:
            case rules.AE:
                extra = {"api": "N1", "rr": False, "srv": ["4"]}
            case rules.GRP:
                extra = {"mnm": 3}
            case rules.SUB:
                extra = {"nct": 1}
        said = self.model.create(fr, to, ty, {**given, **({"api": "N1"} if ty == AE else {"mnm": 3} if ty == GRP else {})})
        answer = self._ask(Operation.CREATE, fr, address, ty=ty, pc=self._body(ty, {**extra, **given}))
        self._agree(said, answer, f"CREATE {SHORT[ty]} {given} at {address} by {fr}")
        if said.node is not None:
            [found] = answer.pc.values()
            said.node.ri = found["ri"]

    @initialize(chosen=labels)
    def begin(self, chosen: list[str] | None) -> None:
        """Register an AE with a container, so that there is something to work on."""
        self._create("Ca", BASE, 0, AE, {"rn": "a", "lbl": chosen})
        self._create("Ca", f"{BASE}/a", 0, CNT, {"rn": "x"})

    @rule(fr=st.sampled_from(ORIGINATORS[1:]), name=st.sampled_from(NAMES[AE]), lbl=labels, ends=st.none() | st.integers(-1, 90), to=st.just(0) | number)
    def register(self, fr: str, name: str, lbl: list[str] | None, ends: int | None, to: int) -> None:
        """Register an AE."""
        self._create(fr, BASE if to == 0 else self._place(to), 0, AE, {"rn": name, "lbl": lbl}, ends)

    limits = st.fixed_dictionaries({}, optional={"mni": st.integers(1, 4), "mbs": st.integers(0, 25), "mia": st.integers(5, 40)})

    @rule(
        fr=originator, to=number, form=number, name=st.sampled_from(NAMES[CNT]), lbl=labels, given=limits, policy=number, ends=st.none() | st.integers(-1, 90)
    )
    def container(self, fr: str, to: int, form: int, name: str, lbl: list[str] | None, given: dict[str, Any], policy: int, ends: int | None) -> None:
        """Create a container, some with limits, some with a policy."""
        acpi = [self._place(policy, ACP)] if policy % 3 == 0 else None
        self._create(fr, self._place(to), form, CNT, {"rn": name, "lbl": lbl, "acpi": acpi, **self._limits(given)}, ends)

    def _limits(self, given: dict[str, Any]) -> dict[str, Any]:
        return given if self.timed else {name: value for name, value in given.items() if name != "mia"}

    @rule(fr=originator, to=number, form=number, con=st.text("ab7ü", max_size=9), lbl=labels, repeat=st.integers(1, 3), ends=st.none() | st.integers(1, 60))
    def instance(self, fr: str, to: int, form: int, con: str, lbl: list[str] | None, repeat: int, ends: int | None) -> None:
        """Create some contentInstances."""
        place = self._place(to, CNT)
        for _ in range(repeat):
            self._create(fr, place, form, CIN, {"rn": f"i{self.count}", "con": con, "lbl": lbl}, ends)

    nets = st.lists(st.sampled_from((1, 2, 3, 4)), min_size=1, max_size=3, unique=True)

    @rule(fr=originator, to=number, form=number, name=st.sampled_from(NAMES[SUB]), net=nets)
    def subscription(self, fr: str, to: int, form: int, name: str, net: list[int]) -> None:
        """Subscribe."""
        self._create(fr, self._place(to), form, SUB, {"rn": name, "nu": [self.target], "enc": {"net": net}})

    @rule(fr=originator, to=st.just(0) | number, form=number, name=st.sampled_from(NAMES[ACP]), pv=privileges, pvs=privileges)
    def policy(self, fr: str, to: int, form: int, name: str, pv: dict[str, Any], pvs: dict[str, Any]) -> None:
        """Create an accessControlPolicy."""
        self._create(fr, BASE if to == 0 else self._place(to), form, ACP, {"rn": name, "pv": pv, "pvs": pvs})

    @rule(fr=originator, to=number, form=number, name=st.sampled_from(NAMES[GRP]), picks=st.lists(number, max_size=4), mt=st.sampled_from((0, 0, CNT)))
    def group(self, fr: str, to: int, form: int, name: str, picks: list[int], mt: int) -> None:
        """Create a group."""
        self._create(fr, self._place(to), form, GRP, {"rn": name, "mid": self._members(picks), "mt": mt})

    def _members(self, picks: list[int]) -> list[str]:
        return [self._place(pick, GRP) + "/fopt" if pick % 4 == 0 else self._place(pick) for pick in picks]

    # --- RETRIEVE -------------------------------------------------------------------------------------------------------------------------------------------

    @rule(fr=originator, to=number, form=number)
    def retrieve(self, fr: str, to: int, form: int) -> None:
        """Retrieve a resource."""
        place = self._place(to)
        address = self._form(place, form)
        self._agree(self.model.retrieve(fr, place), self._ask(Operation.RETRIEVE, fr, address), f"RETRIEVE {address} by {fr}")

    @rule(fr=originator, to=number, rcn=st.sampled_from((4, 5, 6, 8)), lvl=depth, wanted=conditions)
    def children(self, fr: str, to: int, rcn: int, lvl: int | None, wanted: Conditions) -> None:
        """Retrieve what is below a resource."""
        place, wanted = self._place(to), self._at(wanted)
        said = self.model.children(fr, place, lvl, wanted)
        answer = self._ask(Operation.RETRIEVE, fr, place, rcn=rcn, fc=_criteria(wanted, lvl), drt=2)
        what = f"RETRIEVE {place} rcn {rcn} lvl {lvl} {wanted} by {fr}"
        self._agree(said, answer, what)
        if said.paths is not None:
            [(root, found)] = answer.pc.items()
            shown = [each["val"] for each in (found["rrf"] if root == "m2m:rrl" else found["ch"])] if rcn in (5, 6) else [each["ri"] for each in _below(found)]
            assert Counter(shown) == Counter(self._at_path(path).ri for path in said.paths), what

    def _at_path(self, path: str) -> Node:
        node = self.model.find(path)
        assert node is not None
        return node

    @rule(fr=originator, to=st.just(0) | number, lvl=depth, wanted=conditions, lim=st.none() | st.integers(1, 4), ofst=st.integers(1, 3))
    def discover(self, fr: str, to: int, lvl: int | None, wanted: Conditions, lim: int | None, ofst: int) -> None:
        """Discover what is below a resource, all at once or a page."""
        place, wanted = BASE if to == 0 else self._place(to), self._at(wanted)
        said = self.model.discover(fr, place, lvl, wanted)
        paging = {} if lim is None else {"lim": lim, "ofst": ofst}
        answer = self._ask(Operation.RETRIEVE, fr, place, fc={"fu": 1, **_criteria(wanted, lvl), **paging})
        what = f"discovery at {place} {lvl} {wanted} {paging} by {fr}"
        self._agree(said, answer, what)
        if said.paths is None:
            return
        found, all_of_it = Counter(answer.pc["m2m:uril"]), Counter(said.paths)
        if lim is None:
            assert found == all_of_it, what
        else:
            left = max(0, all_of_it.total() - (ofst - 1))
            assert found <= all_of_it, what
            assert found.total() == min(lim, left), what
            assert (answer.cnst == 1) == (left > lim), what

    def _at(self, wanted: Conditions) -> Conditions:
        """Let moments count from the start; leave them out where the clock is not ours."""
        given: dict[str, Any] = {name: value + START if self.timed else None for name in _MOMENTS if (value := getattr(wanted, name)) is not None}
        return replace(wanted, **given)

    @rule(fr=originator, to=number, newest=st.booleans(), deleting=st.booleans())
    def edge(self, fr: str, to: int, newest: bool, deleting: bool) -> None:
        """Retrieve or delete the latest or the oldest."""
        place = self._place(to, CNT)
        if place in self.gone or self._at_path(place).ty != CNT:
            return
        said = self.model.edge(fr, rules.D if deleting else R, place, newest)
        address = f"{place}/{'la' if newest else 'ol'}"
        self._agree(said, self._ask(Operation.DELETE if deleting else Operation.RETRIEVE, fr, address), f"{address} deleting {deleting} by {fr}")

    @rule(fr=originator, to=number, deleting=st.sampled_from((False, False, True)))
    def fan_out(self, fr: str, to: int, deleting: bool) -> None:
        """Retrieve or delete the members of a group."""
        place = self._place(to, GRP)
        said = self.model.fan_out(fr, rules.D if deleting else R, place)
        answer = self._ask(Operation.DELETE if deleting else Operation.RETRIEVE, fr, f"{place}/fopt")
        self._agree(said, answer, f"fan-out {place} deleting {deleting} by {fr}")
        if said.members is not None:
            assert [each["rsc"] for each in answer.pc["m2m:agr"]["m2m:rsp"]] == said.members

    # --- UPDATE, DELETE -------------------------------------------------------------------------------------------------------------------------------------

    changed = st.fixed_dictionaries(
        {}, optional={"lbl": labels, "mni": st.none() | st.integers(1, 3), "mbs": st.none() | st.integers(0, 20), "mia": st.integers(1, 30)}
    )

    @rule(fr=originator, to=number, form=number, changes=changed, ends=st.none() | st.integers(-1, 90))
    def update(self, fr: str, to: int, form: int, changes: dict[str, Any], ends: int | None) -> None:
        """Change labels, limits and life."""
        place = self._place(to, AE, CNT, CNT, SUB, GRP, ACP, CIN)
        node = self.model.find(place)
        given = self._limits(changes) if node is not None and node.ty == CNT else {"lbl": changes.get("lbl")}
        self._update(fr, place, form, given | ({"ends": self.model.now + ends} if ends is not None and self.timed else {}))

    @rule(fr=originator, to=number, form=number, policy=number)
    def link(self, fr: str, to: int, form: int, policy: int) -> None:
        """Change the policies of a resource."""
        place = self._place(to, AE, CNT, SUB, GRP)
        self._update(fr, place, form, {"acpi": None if policy % 4 == 0 else [self._place(policy, ACP)]})

    @rule(fr=originator, to=number, pv=privileges, own=st.booleans())
    def change_policy(self, fr: str, to: int, pv: dict[str, Any], own: bool) -> None:
        """Change the rules of a policy."""
        place = self._place(to, ACP)
        node = self.model.find(place)
        if node is None or node.ty == ACP:
            self._update(fr, place, 0, {"pvs" if own else "pv": pv})

    @rule(fr=originator, to=number, picks=st.lists(number, max_size=4))
    def change_members(self, fr: str, to: int, picks: list[int]) -> None:
        """Change the members of a group."""
        place = self._place(to, GRP)
        node = self.model.find(place)
        if node is None or node.ty == GRP:
            self._update(fr, place, 0, {"mid": self._members(picks)})

    def _update(self, fr: str, place: str, form: int, changes: dict[str, Any]) -> None:
        node, address = self.model.find(place), self._form(place, form)
        said = self.model.update(fr, place, changes)
        answer = self._ask(Operation.UPDATE, fr, address, pc=self._body(AE if node is None or node.ty == rules.CB else node.ty, changes))
        self._agree(said, answer, f"UPDATE {address} {changes} by {fr}")

    @rule(fr=originator, to=number, form=number)
    def delete(self, fr: str, to: int, form: int) -> None:
        """Delete a resource."""
        place = self._place(to, AE, CNT, CIN, SUB, GRP, ACP)
        address = self._form(place, form)
        self._agree(self.model.delete(fr, place), self._ask(Operation.DELETE, fr, address), f"DELETE {address} by {fr}")
        self.gone.append(place) if self.model.find(place) is None else None

    # --- the whole ------------------------------------------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Hold the whole tree of the CSE against that of the model."""
        self.whole()

    def whole(self) -> None:
        """Compare every resource."""
        answer = self._ask(Operation.RETRIEVE, ADMIN, BASE, rcn=4)
        assert int(answer.rsc) == OK
        [root] = answer.pc.values()
        found = {each["ri"]: each for each in _below(root)}
        nodes = {node.ri: node for node in self.model.all()[1:]}
        assert found.keys() == nodes.keys()
        for ri, node in nodes.items():
            self._same(self.model.shown(node), found[ri], f"{node.path} at the end")


class InProcess(Machine):
    """The core without sockets, over a store in memory, with a clock that the machine turns; its notifications are compared too."""

    def __init__(self) -> None:
        super().__init__()
        self.cse = self._open()

    def _open(self) -> Driven:
        return Driven(settings=Settings(expiration_check_interval=0.001), seconds=float(self.model.now))

    def send(self, request: Request) -> Response:
        """Answer a request, and compare what was notified of it."""
        answer = self.cse.request(request)
        self._told(f"{request.op.name} {request.to}")
        return answer

    def _told(self, what: str) -> None:
        """Compare the events of subscriptions that are still there; what those are told that end is another matter."""
        paths = {f"/id-in/{node.ri}": node.path for node in self.model.all() if node.ty == SUB and node.ri}
        told = Counter[tuple[str, int]]()
        for notice in self.cse.taken():
            signal = notice.content["m2m:sgn"]
            if "nev" in signal and signal["sur"] in paths:
                told[paths[signal["sur"]], signal["nev"]["net"]] += 1
        expected, self.model.events = self.model.events, []
        assert told == Counter(event for event in expected if event[0] in paths.values()), what

    @rule(seconds=st.integers(1, 30))
    def pass_time(self, seconds: int) -> None:
        """Let time go on."""
        self.model.pass_time(seconds)
        self.cse.pass_time(seconds)
        self._told(f"{seconds} s pass")


class OnDisk(InProcess):
    """The same over SQLite, stopped and started again in between."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        super().__init__()

    def _open(self) -> Driven:
        store = open_store(f"sqlite:///{self.directory / 'cse.db'}", frozenset(kind.ty for kind in TYPES if kind.instance), 8)
        return Driven(settings=Settings(expiration_check_interval=0.001), store=store, seconds=float(self.model.now))

    @rule()
    def restart(self) -> None:
        """Stop and start again."""
        self.cse.store.close()
        self.cse = self._open()
        self.whole()

    def teardown(self) -> None:
        """Compare the whole, and remove the store."""
        try:
            super().teardown()
        finally:
            self.cse.store.close()
            shutil.rmtree(self.directory)


class OverHttp(Machine):
    """A server at ``url``, as a process of its own. It serves one machine after the other: each empties it first."""

    timed = False
    url: ClassVar[str] = ""
    loop: ClassVar[asyncio.Runner]
    sender: ClassVar[HttpSender]

    def __init__(self) -> None:
        super().__init__()
        answer = self._ask(Operation.RETRIEVE, ADMIN, BASE, rcn=6, fc={"lvl": 1}, drt=2)
        for each in answer.pc["m2m:rrl"]["rrf"]:
            self._ask(Operation.DELETE, ADMIN, each["val"])

    def send(self, request: Request) -> Response:
        """Answer a request."""
        return self.loop.run(self.sender.send(self.url, request, 30))


def _seconds(text: str) -> int:
    return int(datetime.strptime(text[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp())


def _below(attributes: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the resources within one (rcn 4, 8), at any depth."""
    for name, value in attributes.items():
        if name in SHORT.values():
            for each in value:
                yield each
                yield from _below(each)


def _criteria(wanted: Conditions, lvl: int | None) -> dict[str, Any]:
    """Write conditions as the filter criteria of a request."""
    found = {name: value for name in CONDITIONS if (value := getattr(wanted, name)) is not None}
    written = {
        name: list(value) if isinstance(value, tuple) else timestamp(value) if name in _MOMENTS else value for name, value in found.items() if name != "rn"
    }
    if "rn" in found:
        written["atr"] = {"rn": [found["rn"]]}
    if wanted.fo != 1:
        written["fo"] = wanted.fo
    return written | ({} if lvl is None else {"lvl": lvl})
