"""Whose turn it is, who is refused, and when the event loop counts as late: by a clock that the test moves."""

from collections.abc import Callable

from bindings.admission import Lateness, Turns


class Clock:
    """Time that moves when the test says so, and one timer."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.now

    def cancel(self) -> None:
        self.due = lambda: None

    def later(self, _: float, what: Callable[[], None]) -> "Clock":
        self.due = what
        return self

    def look(self, late: float) -> None:
        """Let the timer be called, so many seconds later than it should have been."""
        self.now += 0.1 + late
        self.due()


def served(turns: Turns[str], seconds: float = 0.0) -> list[str]:
    """Let all have their turns, each for the same time; give their order."""
    order = []
    while turns.waiting:
        order.append(turns.next())
        turns.charge(seconds)
    return order


def cycle(turns: Turns[str], clock: Clock, seconds: float, times: int = 40) -> None:
    """Let commits take so many seconds."""
    for _ in range(times):
        turns.committing()
        clock.now += seconds
        turns.committed()


def test_a_line_keeps_its_order_and_the_turn_goes_around() -> None:
    turns: Turns[str] = Turns(10, 1000, 1.0, Clock())
    for number in range(5):
        turns.append("crowd", f"c{number}")
    turns.append("one", "o0")
    turns.append("other", "p0")
    order = served(turns, 0.003)
    assert order == ["c0", "o0", "p0", "c1", "c2", "c3", "c4"]


def test_the_turn_goes_around_by_time_and_not_by_requests() -> None:
    turns: Turns[str] = Turns(10, 1000, 1.0, Clock())
    for number in range(3):
        turns.append("fan-out", f"f{number}")
    for number in range(30):
        turns.append("small", f"s{number}")
    order = []
    while turns.waiting:
        order.append(turns.next())
        turns.charge(0.02 if order[-1][0] == "f" else 0.001)
    assert 18 <= order.index("f1") <= 24, "twenty requests of a millisecond are as much as one of twenty"
    assert [each for each in order if each[0] == "s"] == [f"s{number}" for number in range(30)]


def test_as_many_wait_as_can_be_served_in_time() -> None:
    clock = Clock()
    turns: Turns[str] = Turns(10, 10_000, 1.0, clock)
    cycle(turns, clock, 0.05)  # 10 requests in 50 ms: 200 a second
    for number in range(250):
        if not turns.refused(f"C{number}"):
            turns.append(f"C{number}", "")
    assert 195 <= turns.waiting <= 205
    assert 1 <= turns.refused("another") <= 2
    served(turns)
    assert turns.refused("another") == 0


def test_who_has_many_waiting_is_refused_first() -> None:
    clock = Clock()
    turns: Turns[str] = Turns(10, 10_000, 1.0, clock)
    cycle(turns, clock, 0.05)
    for _ in range(1000):
        if not turns.refused("flood"):
            turns.append("flood", "")
    assert 95 <= turns.waiting <= 105, "one alone has half of the room"
    assert turns.refused("flood")
    for _ in range(20):
        assert not turns.refused("meter")
        turns.append("meter", "")


def test_a_slow_disk_is_no_reason_to_refuse_those_of_the_next_commit() -> None:
    clock = Clock()
    turns: Turns[str] = Turns(10, 10_000, 1.0, clock)
    cycle(turns, clock, 5.0)
    for number in range(100):
        if not turns.refused(f"C{number}"):
            turns.append(f"C{number}", "")
    assert turns.waiting == 20, "what two commits can take"
    assert turns.refused("another") == 10


def test_the_number_is_bounded_however_fast_it_is() -> None:
    turns: Turns[str] = Turns(10, 3, 1.0, Clock())
    for number in range(9):
        if not turns.refused(f"C{number}"):
            turns.append(f"C{number}", "")
    assert turns.waiting == 3


def test_a_busy_store_is_measured_from_commit_to_commit() -> None:
    clock = Clock()
    turns: Turns[str] = Turns(1, 1000, 1.0, clock)
    turns.append("C", "")
    for _ in range(60):
        turns.committing()
        clock.now += 0.05
        turns.committed()
        turns.append("C", turns.next())
        clock.now += 0.05  # what the writers of the next commit take
    for number in range(40):
        if not turns.refused(f"C{number}"):
            turns.append(f"C{number}", "")
    assert 9 <= turns.waiting <= 11


def test_a_loop_in_time_counts_nothing_and_a_late_one_shares_out() -> None:
    clock = Clock()
    loop = Lateness(clock.later, 0.5, clock, clock)
    clock.look(0.4)
    assert not loop.late
    clock.look(2.0)
    assert loop.late
    assert not any(loop.refused(name) for name in ["flood"] * 990 + ["meter"] * 10), "the first look is for seeing who there is"
    clock.look(1.0)
    told = [loop.refused("flood") for _ in range(990)]
    assert told.count(0) == 250, "half of what was served, shared by two"
    assert not any(loop.refused("meter") for _ in range(10)), "who has few is not refused"
    clock.look(0.1)
    assert loop.late, "somebody was refused"
    assert [loop.refused("flood") for _ in range(990)].count(0) == 312, "it is in time: a quarter more"
    clock.look(0.1)
    assert not any(loop.refused("flood") for _ in range(300))
    clock.look(0.1)
    assert not loop.late, "nobody had to be refused"
    loop.close()
    clock.look(9.0)
    assert not loop.late


def test_a_few_requests_are_not_why_a_loop_is_late() -> None:
    clock = Clock()
    loop = Lateness(clock.later, 0.5, clock, clock)
    for _ in range(5):
        clock.look(5.0)
        assert not any(loop.refused("one") for _ in range(60))


def test_a_loop_that_others_keep_from_running_is_not_late() -> None:
    clock = Clock()
    loop = Lateness(clock.later, 0.5, clock, lambda: clock.now / 10)
    clock.look(4.0)
    assert not loop.late
