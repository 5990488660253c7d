"""Who may import whom: docs/architecture.md, read from its table and compared with the source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "fastdicom"
ROW = re.compile(r"^\| (`[a-z`, ]+`) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
IN_WORKERS = ("transcoding/libraries.py", "transcoding/worker_process.py")  # processes of their own
HEAVY = {"pydicom", "numpy", "imagecodecs", "jpeg_ls", "pylibjpeg", "prometheus_client"}


def allowed_imports() -> dict[str, set[str]]:
    table = {}
    for rooms, imports in ROW.findall((ROOT / "docs/architecture.md").read_text("utf-8")):
        names = {name.strip() for name in imports.split(",")}
        for room in re.findall(r"`([a-z]+)`", rooms):
            table[room] = names
    return table


ALLOWED = allowed_imports()
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE]


def imported(path: Path) -> list[tuple[str, bool]]:
    """(module, at import time) for each import of a file; TYPE_CHECKING blocks do not count."""
    found = []
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.ImportFrom) and inner.module:
                found.append((inner.module, inner is node))
            elif isinstance(inner, ast.Import):
                found += [(alias.name, inner is node) for alias in inner.names]
    return found


def test_the_table_names_every_room() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms <= set(ALLOWED)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    allowed = ALLOWED[room]
    if "top-level modules" in allowed:
        allowed = allowed | {module.stem for module in PACKAGE.glob("*.py")}
    for module, _ in imported(path):
        parts = module.split(".")
        if parts[0] == "fastdicom" and len(parts) > 1 and parts[1] != room:
            assert parts[1] in allowed, f"{room} imports {module}"


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_heavy_packages_are_imported_only_where_they_are_used(path: Path) -> None:
    if str(path.relative_to(PACKAGE)) in IN_WORKERS:
        return
    at_import = {module.split(".")[0] for module, early in imported(path) if early}
    assert not at_import & HEAVY
