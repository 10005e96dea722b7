"""The project keeps its own rules: layers, documentation that runs, one public list, imports."""

from __future__ import annotations

import ast
import doctest
import graphlib
import importlib
import inspect
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

import gpugrad as gg
from gpugrad.ops.op import NAMES, TABLE

PACKAGE = ROOT / "gpugrad"

# The layers of the design, lowest first, each a folder or a module of the package: none imports from a later one.
LAYERS = [
    "base", "ops", "plans", "codegen", "backends", "core", "graph", "coerce", "interop", "protocols", "methods", "differentiable", "tensor",
    "arguments", "functions", "linalg", "transforms", "autograd", "explanation", "random", "numpy", "scipy", "catalogue", "testing", "serialize", "nn", "optim", "debug", "", "cli", "__main__",
]  # fmt: skip


def modules() -> list[str]:
    found = [m.name.removeprefix("gpugrad").lstrip(".") for m in pkgutil.walk_packages([str(PACKAGE)], "gpugrad.")]
    return ["", *found]


def imports(module: str) -> set[str]:
    path = PACKAGE / (module.replace(".", "/") or "__init__")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    package = ["gpugrad", *module.split(".")] if module else ["gpugrad"]
    if file.name != "__init__.py":
        package = package[:-1]
    known = set(modules())
    result = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("gpugrad")):
            base = package[: len(package) - node.level + 1] if node.level else []
            full = ".".join([*base, node.module or ""]).strip(".").removeprefix("gpugrad").lstrip(".")
            for alias in node.names:
                child = f"{full}.{alias.name}".lstrip(".")
                result.add(child if child in known else full)
        elif isinstance(node, ast.Import):
            result |= {
                a.name.removeprefix("gpugrad").lstrip(".") for a in node.names if a.name.split(".")[0] == "gpugrad"
            }
    return result - {module}


@pytest.mark.parametrize("module", modules())
def test_imports_point_down(module: str) -> None:
    floor = LAYERS.index(module.split(".")[0])
    for other in imports(module):
        assert LAYERS.index(other.split(".")[0]) <= floor, f"{module or 'gpugrad'} imports {other or 'gpugrad'}"


def test_no_import_circle() -> None:
    """Imports inside functions count as well."""
    graphlib.TopologicalSorter({m: imports(m) for m in modules()}).prepare()


def test_the_core_depends_on_numpy_alone() -> None:
    code = "import sys; import gpugrad; print(sorted(m.split('.')[0] for m in sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in ("cupy", "scipy", "matplotlib", "sklearn", "tqdm", "safetensors", "torch", "jax"):
        assert f"'{name}'" not in out


def test_importing_asks_for_no_device() -> None:
    code = (
        "import gpugrad as gg, gpugrad.base.gpus as b; assert gg.config._device == ''; "
        "assert b.why_no_cuda.cache_info().misses == 0; print('good')"
    )
    environment = {**os.environ, "GPUGRAD_DEVICE": "nonsense"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.strip() == "good", done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "gpugrad", "info"], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 1
    assert "unknown device 'nonsense'" in done.stderr
    assert "Traceback" not in done.stderr


def documented() -> list[tuple[str, object]]:
    found: dict[str, object] = {}
    for module in modules():
        m = importlib.import_module(f"gpugrad.{module}".rstrip("."))
        found[m.__name__] = m
        for name, thing in vars(m).items():
            ours = getattr(thing, "__module__", "") or ""
            if (
                name.startswith("_")
                or not ours.startswith("gpugrad")
                or not (inspect.isfunction(thing) or inspect.isclass(thing))
            ):
                continue
            found.setdefault(f"{ours}.{thing.__qualname__}", thing)
            for k, v in vars(thing).items() if inspect.isclass(thing) else ():
                if not k.startswith("_") and getattr(v, "__doc__", None):
                    found.setdefault(f"{ours}.{thing.__qualname__}.{k}", v)
    return list(found.items())


@pytest.mark.parametrize(("name", "thing"), documented(), ids=[n for n, _ in documented()])
def test_examples_run(name: str, thing: object, fused: None, on_cpu: None) -> None:
    finder = doctest.DocTestFinder(recurse=False)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in finder.find(thing, name, globs={}):
        runner.run(test)
    assert runner.failures == 0


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda p: p.name)
def test_pages_run(page: Path, fused: None, on_cpu: None) -> None:
    result = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    )
    assert result.failed == 0
    if page.name == "README.md":
        assert result.attempted > 8


def test_every_public_function_has_an_example() -> None:
    for name in dir(gg):
        thing = getattr(gg, name)
        if not name.startswith("_") and (inspect.isfunction(thing) or inspect.isclass(thing)):
            assert ">>>" in (thing.__doc__ or ""), name


def test_every_row_is_complete() -> None:
    for op in TABLE.values():
        assert op.doc, op
        assert op.c or op.body, op
        if op.rule is not None:
            assert op.arity == len(op.params)


def test_every_op_is_function_method_and_numpy_ufunc() -> None:
    x = gg.tensor([0.5])
    for name, op in NAMES.items():
        if op.public:
            assert callable(getattr(gg, name))
            assert hasattr(gg.Tensor, name) == (op.params[0] != "condition")
        if op.is_ufunc and op.arity == 1 and op.takes(x.dtype):
            assert isinstance(op.numpy(x), gg.Tensor)


def test_nothing_names_the_machine_it_was_made_on() -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not there to list the files")
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not files:
        pytest.skip("not a git checkout")
    home = os.path.expanduser("~") + "/"
    for f in files:
        p = ROOT / f
        if p.suffix in (".py", ".md", ".toml", ".sh", ".yml", ".yaml"):
            text = p.read_text()
            assert str(ROOT) + "/" not in text, f
            assert len(home) < 4 or home not in text, f
