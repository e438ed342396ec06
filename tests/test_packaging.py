"""What is installed is what is there."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def folders(top: Path) -> list[str]:
    """The packages under a folder, itself included, by dotted name."""
    found = [path.parent for path in sorted(top.rglob("__init__.py"))]
    return [".".join(path.relative_to(top.parent).parts) for path in found]


def test_the_list_of_packages_is_what_is_there():
    mapped = SETUPTOOLS["package-dir"]
    expected = set(folders(ROOT / "tcalc"))
    for name, folder in mapped.items():
        expected |= {name + inner.removeprefix(folder) for inner in folders(ROOT / folder)}
    assert SETUPTOOLS["packages"] == sorted(expected)


def test_every_folder_with_code_is_a_package():
    for path in (ROOT / "tcalc").rglob("*.py"):
        assert (path.parent / "__init__.py").exists(), path


def test_the_grammar_is_found_as_a_resource():
    assert "program" in files("tcalc.grammar").joinpath("tcalc.lark").read_text(encoding="utf-8")


def test_the_gallery_is_found_as_a_resource():
    found = {entry.name for entry in files("tcalc.gallery").iterdir()}
    assert {path.name for path in (ROOT / "tcalc" / "gallery").glob("*.tc")} <= found


def test_the_package_is_typed():
    assert files("tcalc").joinpath("py.typed").is_file()


def imported(folder: str) -> set[str]:
    """The packages of others that the modules of a folder import, wherever in them."""
    found: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"tcalc", "cupy", "cupyx"}


def required(texts: list[str]) -> set[str]:
    """The names of packages in a list of requirements."""
    return {re.split(r"[<>=\[]", text)[0] for text in texts}


def test_what_is_required_is_what_is_imported():
    project = PROJECT["project"]
    assert imported("tcalc") == required(project["dependencies"])
    web = required(project["optional-dependencies"]["web"]) - {"ziamath"}  # the font, as a file
    parts = {"starlette", "h11"}  # of FastAPI and of uvicorn
    assert imported("web") - required(project["dependencies"]) == web | parts


def test_a_wheel_has_every_file(tmp_path):
    try:
        major = int(version("setuptools").partition(".")[0])
    except PackageNotFoundError:
        major = 0
    if major < 77:
        pytest.skip("no setuptools of version 77 or later to build with")
    source, wheels = tmp_path / "source", tmp_path / "wheels"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("tcalc", "grammar", "web"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *build, "--wheel-dir", wheels, source],
        check=True,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    assert "absent from the `packages` configuration" not in done.stderr
    (wheel,) = wheels.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    of_checks = {"package.json", "jsconfig.json"}  # for the type checker of the scripts alone
    expected = {
        prefix + path.relative_to(source).as_posix()
        for prefix, folder in (("", "tcalc"), ("tcalc/", "grammar"), ("tcalc/", "web"))
        for path in (source / folder).rglob("*")
        if path.suffix in (".py", ".tc", ".lark", ".json", ".typed", ".html", ".css", ".js", ".svg")
        and path.name not in of_checks
    }
    assert packed == expected
