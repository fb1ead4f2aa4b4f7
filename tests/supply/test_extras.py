"""The core does without any extra, and what needs one that is not installed says which command installs it."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pdr_dspy.errors import MissingExtra
from pdr_dspy.extras import MODULES, need, needed

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOLDERS = {"pdr_dspy/embedded": "embedded", "pdr_dspy/answers/mathcheck": "math", "optimize": "search"}
"""Folders whose modules may import an extra's modules as soon as they are imported themselves."""

BROUGHT = {
    "dspy": {"json_repair"},
    "httpx": {"httpcore"},
    "litellm": {"aiohttp", "huggingface_hub", "openai"},
    "pydantic": {"pydantic_core"},
    "uvicorn": {"h11"},
    "mlflow": {"sqlalchemy"},
    "openvino-genai": {"openvino"},
    "math-verify": {"latex2sympy2_extended", "sympy", "mpmath", "antlr4"},
}
"""Modules of packages that another one brings along because they are a part of what it gives to its callers."""

BLOCKED = sorted({module for modules in MODULES.values() for module in modules} - {"tokenizers", "jinja2"})

WITHOUT = """
import sys
class Finding:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {blocked!r} else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)
sys.meta_path[:] = [Finding(finder) for finder in sys.meta_path]
sys.path.insert(0, {tests!r})
"""


def without_extras(source: str) -> subprocess.CompletedProcess[str]:
    """Run a program where no extra is installed."""
    begin = WITHOUT.format(blocked=set(BLOCKED), tests=str(ROOT / "tests"))
    return subprocess.run(
        [sys.executable, "-c", begin + textwrap.dedent(source)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in requirements}


CORE = names(PROJECT["dependencies"])


def every(extra: str | None) -> set[str]:
    """The packages of an extra, those of the extras it consists of included."""
    asked = [Requirement(each) for each in PROJECT["optional-dependencies"].get(extra, ())]
    inner = {name for each in asked if each.name == PROJECT["name"] for one in each.extras for name in every(one)}
    return {canonicalize_name(each.name) for each in asked} | inner


def outer_imports(path: Path) -> Iterator[str]:
    """The top-level modules that a module imports when it is imported itself; not what types alone need."""
    nodes: list[ast.AST] = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.If | ast.Try) and "TYPE_CHECKING" not in ast.unparse(getattr(node, "test", node)):
            nodes += [*node.body, *node.orelse]


def test_the_core_imports_what_the_core_installs() -> None:
    of = packages_distributions()
    found = []
    for path in sorted([*ROOT.glob("pdr_dspy/**/*.py"), *ROOT.glob("optimize/**/*.py")]):
        place = path.relative_to(ROOT).as_posix()
        extra = next((extra for folder, extra in FOLDERS.items() if place.startswith(f"{folder}/")), None)
        for module in outer_imports(path):
            if module in sys.stdlib_module_names or module in ("pdr_dspy", "optimize", "mathcheck"):
                continue
            core = CORE & {canonicalize_name(name) for name in of.get(module, ())}
            brought = any(module in BROUGHT.get(name, ()) for name in CORE | every(extra))
            if not core and not brought and module not in MODULES.get(extra or "", ()):
                found.append(f"{place}: {module}")
    assert not found


@pytest.mark.parametrize("extra", MODULES)
def test_an_extra_brings_the_modules_that_are_asked_of_it(extra: str) -> None:
    """Each module is of a package that the extra names, or of one that such a package brings along."""
    of = packages_distributions()
    asked = CORE | every(extra)
    for module in MODULES[extra]:
        own = {canonicalize_name(name) for name in of.get(module, (module,))}
        assert own & asked or any(module in BROUGHT.get(name, ()) for name in asked), module


def test_all_extras_are_known_to_the_metadata() -> None:
    assert set(MODULES) <= set(PROJECT["optional-dependencies"])
    assert {"all", "dev", "train"} <= set(PROJECT["optional-dependencies"])


def test_composing_needs_no_extra() -> None:
    ran = without_extras(
        """
        import dspy
        from fakes.stages import by_stage
        from fakes.vllm import FakeVLLM
        from pdr_dspy import PDR, LongCoT, MajorityVote, SequentialRefinement, connect, preset_names
        with FakeVLLM(answer=by_stage, context=32768) as server, connect(server.url) as lm, dspy.context(lm=lm):
            for program in (PDR, LongCoT, MajorityVote, SequentialRefinement):
                print(program("question -> answer", budget="tokens=8k")(question="x").answer)
            print(*(PDR("question -> answer", name)(question="x").answer for name in preset_names()))
        """
    )
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.split()) == 4 + 10


NEEDING = {
    "search": "import pathlib; from pdr_dspy.tracking import Tracker; Tracker.open(pathlib.Path('.'), 'x')",
    "embedded": "from pdr_dspy.embedded import start; start()",
    "hf": "from pdr_dspy.data import load_data; load_data('hf:o/n')",
    "math": "from pdr_dspy.data import make_grader; make_grader('math')",
}


@pytest.mark.parametrize("extra", NEEDING)
def test_what_needs_an_extra_names_the_command_that_installs_it(extra: str) -> None:
    ran = without_extras(NEEDING[extra])
    assert ran.stderr.splitlines()[-1].startswith("pdr_dspy.errors.MissingExtra: ")
    assert f"pip install 'pdr-dspy[{extra}]'" in ran.stderr


def test_a_vote_needs_the_extra_only_where_expressions_have_to_be_compared() -> None:
    ran = without_extras(
        """
        import asyncio
        from pdr_dspy.answers import equal_answers
        assert asyncio.run(equal_answers("1/2", r"\\\\frac12"))
        assert asyncio.run(equal_answers(3, 3.0))
        assert not asyncio.run(equal_answers("(B)", "C"))
        asyncio.run(equal_answers("x^2+2x+1", "(x+1)^2"))
        """
    )
    assert "MissingExtra: comparing expressions: it needs math_verify" in ran.stderr


def test_data_can_be_looked_at_without_extras(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(
        "".join(f'{{"problem": "say {n}", "answer": "{n}"}}\n' for n in range(40)), encoding="utf-8"
    )
    ran = without_extras(f"from pdr_dspy.data.__main__ import main; raise SystemExit(main([{str(tmp_path)!r}]))")
    assert ran.returncode == 0, ran.stderr
    assert "40 problems" in ran.stdout


def test_another_import_error_stays_what_it_is() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), needed("search", "a search"):
        import no_such_module  # type: ignore[import-not-found]  # noqa: F401


def test_what_is_there_is_not_missed() -> None:
    for extra in ("serve", "embedded", "search", "math", "postgres"):
        need(extra, "a test")


def test_a_missing_extra_says_what_needs_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(MissingExtra) as raised:
        need("gym", "data gym:x")
    assert raised.value.extra == "gym"
    assert str(raised.value) == (
        "data gym:x: it needs reasoning_gym, which is not installed. Install it: pip install 'pdr-dspy[gym]' "
        "(in a checkout: pip install -e '.[gym]')"
    )


def test_the_search_names_its_extra_as_a_script_and_in_python() -> None:
    ran = without_extras(
        """
        import optimize
        from pdr_dspy.errors import MissingExtra

        for ask in (lambda: optimize.SearchRequest, lambda: optimize.search(None), lambda: optimize.measure):
            try:
                ask()
            except MissingExtra as error:
                print(error.field, "pdr-dspy[search]" in str(error))
        sys.argv = ["optimize/search.py", "--budget", "tokens=1k"]
        print(optimize.search.main())
        """
    )
    assert ran.stdout.split() == [
        *("optimize.SearchRequest", "True", "optimize.search", "True", "optimize.measure", "True"), "2"
    ], ran.stderr  # fmt: skip
    assert ran.stderr.startswith("error: python optimize/search.py: it needs ") and "Traceback" not in ran.stderr
