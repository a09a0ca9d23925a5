"""A message is known for the whole EXCHANGE_LIFETIME, its answer as long as somebody waits for it, and memory has bounds."""

from bindings.coap.exchanges import LIFETIME, PATIENCE, Exchanges


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def exchanges(clock: Clock, most: int = 1000, octets: int = 1 << 20) -> Exchanges:
    return Exchanges(clock, most, octets)


def test_a_new_message_is_unknown_and_then_known_and_then_answered() -> None:
    found = exchanges(Clock())
    assert found.find("a 1") is None
    assert found.begin("a 1")
    assert found.find("a 1") == b""
    found.keep("a 1", b"answer")
    assert found.find("a 1") == b"answer"
    assert found.find("a 2") is None


def test_an_answer_is_kept_while_somebody_waits_and_the_message_is_known_for_its_lifetime() -> None:
    clock = Clock()
    found = exchanges(clock)
    found.begin("a 1")
    found.keep("a 1", b"answer")
    for second in range(int(LIFETIME * 2)):
        clock.now = 1000.0 + second
        answer = found.find("a 1")
        if second <= PATIENCE:
            assert answer == b"answer", second
        if second <= LIFETIME:
            assert answer is not None, second
    assert answer is None
    assert len(found) == 0


def test_silence_does_not_keep_a_message_for_longer() -> None:
    clock = Clock()
    found = exchanges(clock)
    found.begin("a 1")
    clock.now += LIFETIME + 1
    found.find("a 2")
    clock.now += LIFETIME + 1
    assert found.find("a 1") is None


def test_an_answer_that_comes_late_is_kept() -> None:
    clock = Clock()
    found = exchanges(clock)
    found.begin("a 1")
    clock.now += 60
    assert found.find("a 2") is None
    found.keep("a 1", b"answer")
    assert found.find("a 1") == b"answer"


def test_answers_take_no_more_than_they_may_and_the_newest_stay() -> None:
    found = exchanges(Clock(), most=100_000, octets=100_000)
    for number in range(5000):
        key = f"a {number}"
        assert found.find(key) is None
        assert found.begin(key)
        found.keep(key, b"x" * 200)
        assert found.octets <= 100_000
    assert found.find("a 4999") == b"x" * 200
    assert all(found.find(f"a {number}") is not None for number in range(5000)), "none is taken for new"


def test_when_it_is_full_nothing_is_begun_before_the_oldest_can_be_forgotten() -> None:
    clock = Clock()
    found = exchanges(clock, most=100)
    for number in range(100):
        assert found.begin(f"a {number}")
    assert not found.begin("a 100")
    clock.now += 40
    assert found.find("a 100") is None
    assert not found.begin("a 100")
    assert found.find("a 0") == b""
    clock.now += PATIENCE
    assert found.find("a 100") is None
    assert found.begin("a 100")
    assert len(found) == 1
