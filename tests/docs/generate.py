"""Writes docs/reference anew: ``python -m tests.docs.generate``."""

from pathlib import Path

from tests.docs.pages import DOCS
from tests.docs.reference import documents


def main(directory: Path = DOCS / "reference") -> None:
    """Write every document that is not as it should be, and remove what is none."""
    wanted = documents()
    for path in [path for path in directory.rglob("*") if path.is_file()]:
        if str(path.relative_to(directory)) not in wanted:
            path.unlink()
            print(f"removed {path.relative_to(directory)}")
    for name, text in wanted.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"wrote {name}")


if __name__ == "__main__":
    main()
