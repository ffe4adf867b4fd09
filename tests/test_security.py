"""docs/security.md names tests that exist, and what it promises for the product as a whole holds."""

import ast
import contextlib
import re
import sys
from pathlib import Path

import pytest

import build
from lsf_blender_addon.client.process import ServerProcess

DOCUMENT = (build.ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", DOCUMENT)))

NETWORK = {
    "socket",
    "socketserver",
    "ssl",
    "http",
    "ftplib",
    "smtplib",
    "asyncio",
    "urllib.request",
    "requests",
    "httpx",
}
RUNS_DATA = {"pickle", "shelve", "marshal", "dill", "joblib", "yaml", "code", "codeop"}
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _path, name in NAMED])
def test_the_tests_that_are_named_exist(path, name):
    tree = ast.parse((build.ROOT / path).read_text("utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{path} has no {name}"


def test_every_row_of_a_table_with_tests_names_one():
    tables = re.findall(r"(?:^\|.*\n)+", DOCUMENT, re.MULTILINE)
    with_tests = [table.splitlines() for table in tables if table.splitlines()[0].endswith("| tests |")]
    assert len(with_tests) == 5
    assert [row for _head, _line, *rows in with_tests for row in rows if "`tests/" not in row.split("|")[-2]] == []


def product() -> list[tuple[str, ast.Module]]:
    """(name, syntax tree) of every module that ships."""
    files = [(name, path) for name, path in build.product_files() if path.suffix == ".py"]
    assert len(files) > 100
    return [(name, ast.parse(path.read_text("utf-8"))) for name, path in files]


def imported(tree: ast.Module) -> set[str]:
    """The modules that a module imports, with those around them: a.b.c also as a and a.b."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        found |= {".".join(name.split(".")[: i + 1]) for name in names for i in range(name.count(".") + 1)}
    return found


def test_the_product_has_no_module_for_the_network():
    assert [(name, used) for name, tree in product() if (used := imported(tree) & NETWORK)] == []


def test_the_product_has_no_farm():
    assert [(name, used) for name, tree in product() if (used := imported(tree) & {"dask", "distributed"})] == []
    assert not [name for name, _tree in product() if "farm" in name]


def test_nothing_that_is_read_can_be_run():
    wrong = []
    for name, tree in product():
        wrong += [(name, module) for module in imported(tree) & RUNS_DATA]
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            runs = called in RUNS_TEXT or called in ("os.system", "os.popen", "torch.load", "numpy.loadtxt")
            if runs or options.get("shell") == "True" or options.get("allow_pickle") == "True":
                wrong.append((name, called))
            if called in ("np.load", "numpy.load") and options.get("allow_pickle") != "False":
                wrong.append((name, called))
    assert wrong == []


def test_what_runs_data_would_be_found():
    tree = ast.parse("import urllib.request\nfrom http import server\nfrom pickle import loads")
    assert {"urllib.request", "http", "pickle"} <= imported(tree)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells about the sockets of another process")
def test_a_working_server_has_no_socket(tmp_path, server_python, small_checkpoint):
    process = ServerProcess(server_python, tmp_path / "log", ["--checkpoint", str(small_checkpoint)])
    try:
        process.greet()
        while process.receive()[0]["type"] != "ready":
            pass
        opened = []
        for link in Path(f"/proc/{process._process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                opened.append(str(link.readlink()))
    finally:
        process.kill()
    assert sum(name.startswith("pipe:") for name in opened) >= 2, opened
    assert not [name for name in opened if name.startswith("socket:")], opened
