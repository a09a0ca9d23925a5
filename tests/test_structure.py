"""The bold rules of docs/architecture.md that a reader of the syntax can check."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = sorted(path for package in ("cse", "resources", "bindings", "apps") for path in (ROOT / package).rglob("*.py"))


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_size(path: Path) -> None:
    """A module has at most 500 lines, a function at most 50 without its docstring."""
    text = path.read_text()
    assert text.count("\n") <= 500
    for function in _functions(ast.parse(text)):
        doc = ast.get_docstring(function, clean=False)
        lines = (function.end_lineno or 0) - function.lineno + 1 - (doc.count("\n") + 1 if doc else 0)
        assert lines <= 50, f"{function.name} has {lines} lines"


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_functions_and_modules_have_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "module"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


def _opens_transaction(node: ast.With | ast.AsyncWith) -> bool:
    calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
    return any(isinstance(call.func, ast.Attribute) and call.func.attr in ("write", "transaction") for call in calls)


def _suspends(node: ast.AST) -> bool:
    return any(isinstance(found, ast.Yield | ast.YieldFrom | ast.Await) for found in ast.walk(node))


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_waits_inside_a_write_transaction(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.With | ast.AsyncWith) and _opens_transaction(node):
            context_manager = path.name == "core.py" and any(isinstance(found, ast.Yield) and isinstance(found.value, ast.Name) for found in ast.walk(node))
            assert context_manager or not any(_suspends(statement) for statement in node.body), f"line {node.lineno}"


def test_the_rule_about_waiting_sees_a_breach() -> None:
    (node,) = (found for found in ast.walk(ast.parse("def f(host):\n with host.write(r) as change:\n  yield 1")) if isinstance(found, ast.With))
    assert _opens_transaction(node)
    assert _suspends(node.body[0])


DRIVER = (ROOT / "bindings" / "driver.py", ROOT / "bindings" / "calls.py")
"""The driver, and its half that sends: the one place for catch-alls (house rule 1)."""


def test_no_type_checking_imports_or_catch_alls() -> None:
    """Cycles are solved by a Protocol one floor down; only the driver catches everything."""
    for path in CODE:
        tree = ast.parse(path.read_text())
        names = {found.id for found in ast.walk(tree) if isinstance(found, ast.Name)}
        assert "TYPE_CHECKING" not in names, path
        handlers = [found for found in ast.walk(tree) if isinstance(found, ast.ExceptHandler)]
        broad = [h for h in handlers if h.type is None or (isinstance(h.type, ast.Name) and h.type.id in ("Exception", "BaseException"))]
        assert not broad or path in DRIVER or all(isinstance(h.body[-1], ast.Raise) for h in broad), path
