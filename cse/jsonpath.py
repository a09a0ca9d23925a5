"""JSONPath (RFC 9535) on contents that strangers have stored, with queries that strangers send: in bounded time.

The regular expressions of ``match`` and ``search`` (RFC 9485) run in RE2, whose time is linear; everything else pays for each value that it looks at.
"""

from collections.abc import Callable, ItemsView, Iterator
from typing import Any, SupportsIndex

import jsonpath_rfc9535 as jsonpath
import re2
from iregexp_check import check
from jsonpath_rfc9535.function_extensions import ExpressionType, FilterFunction

from cse.errors import BadRequest

_LONGEST = 1000
"""Characters of a query."""

_STEPS = 200_000
"""Values that a query may look at, in all the contents of one request."""

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


class _TooMuch(Exception):
    """The query has looked at too many values."""


class _Purse:
    """What is left to pay with."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def pay(self, steps: int) -> None:
        """Take some of it. Raises _TooMuch when there is no more."""
        self.left -= steps
        if self.left < 0:
            raise _TooMuch


class _List(list[Any]):
    """A list that is paid for as it is looked at."""

    __slots__ = ("_purse",)
    __hash__ = None

    def __init__(self, values: Iterator[Any], purse: _Purse) -> None:
        super().__init__(values)
        self._purse = purse

    def __iter__(self) -> Iterator[Any]:
        for value in super().__iter__():
            self._purse.pay(1)
            yield value

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        self._purse.pay(len(range(*index.indices(len(self)))) if isinstance(index, slice) else 1)
        return super().__getitem__(index)

    def __eq__(self, other: object) -> bool:
        self._purse.pay(len(self))
        return super().__eq__(other)


class _Dict(dict[str, Any]):
    """The same for an object."""

    __slots__ = ("_purse",)
    __hash__ = None

    def __init__(self, values: Iterator[tuple[str, Any]], purse: _Purse) -> None:
        super().__init__(values)
        self._purse = purse

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        self._purse.pay(len(self))
        return super().items()

    def __getitem__(self, name: str) -> Any:
        self._purse.pay(1)
        return super().__getitem__(name)

    def __eq__(self, other: object) -> bool:
        self._purse.pay(len(self))
        return super().__eq__(other)


def _paid(value: Any, purse: _Purse) -> Any:
    if isinstance(value, dict):
        return _Dict(((name, _paid(each, purse)) for name, each in value.items()), purse)
    return _List((_paid(each, purse) for each in value), purse) if isinstance(value, list) else value


class _Regular(FilterFunction):
    """``match`` or ``search``."""

    arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]
    return_type = ExpressionType.LOGICAL

    def __init__(self, find: Callable[..., object]) -> None:
        self._find = find

    def __call__(self, text: object, pattern: object) -> bool:
        if not isinstance(text, str) or not isinstance(pattern, str) or len(pattern) > _LONGEST or not check(pattern):
            return False
        try:
            return bool(self._find(_translated(pattern), text, _OPTIONS))
        except re2.error:
            return False


def _translated(pattern: str) -> str:
    """Write an I-Regexp for RE2: the dot stands for neither line end (RFC 9485 5.3)."""
    parts, escaped, inside = [], False, False
    for character in pattern:
        parts.append("[^\n\r]" if character == "." and not escaped and not inside else character)
        inside = (inside or character == "[") and character != "]" if not escaped else inside
        escaped = character == "\\" and not escaped
    return "".join(parts)


class _Environment(jsonpath.JSONPathEnvironment):
    max_recursion_depth = 32
    """Levels that ``..`` goes down: each step costs as many generators."""

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self.function_extensions |= {"match": _Regular(re2.fullmatch), "search": _Regular(re2.search)}


_ENVIRONMENT = _Environment()


def compile_query(query: str) -> Callable[[Any], bool]:
    """Give a test whether a query finds anything in a JSON value. Raises BadRequest when it is no JSONPath; so does the test when it takes too much."""
    if len(query) > _LONGEST:
        raise BadRequest(f"the filter criterion cfq has {len(query)} characters, at most {_LONGEST} are allowed")
    try:
        path = _ENVIRONMENT.compile(query)
    except (jsonpath.JSONPathError, RecursionError) as error:
        raise BadRequest(f"the filter criterion cfq is no JSONPath: {error}") from error
    purse = _Purse(_STEPS)

    def finds(value: Any) -> bool:
        try:
            return next(iter(path.finditer(_paid(value, purse))), None) is not None
        except _TooMuch:
            raise BadRequest("the filter criterion cfq has too much to look at") from None
        except (jsonpath.JSONPathError, RecursionError):
            return False

    return finds
