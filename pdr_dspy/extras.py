"""The package's extras: what each brings, and the error where one is needed that is not there. Light to import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

from pdr_dspy.errors import MissingExtra

MODULES: Mapping[str, tuple[str, ...]] = {
    "serve": ("starlette", "uvicorn"),
    "embedded": ("openvino", "openvino_genai", "numpy", "tokenizers", "jinja2", "starlette", "uvicorn"),
    "search": ("optuna", "mlflow", "numpy", "scipy", "rich", "plotly", "matplotlib", "pyarrow", "sqlalchemy"),
    "math": ("math_verify", "latex2sympy2_extended", "sympy", "mpmath", "antlr4"),
    "hf": ("datasets", "pyarrow"),
    "gym": ("reasoning_gym",),
    "postgres": ("psycopg",),
}
"""The modules that each extra's features import, those that its packages bring along included."""


@contextmanager
def needed(extra: str, what: str) -> Iterator[None]:
    """Around imports: one of the extra's modules that is not there is a `MissingExtra`.

    Args:
        extra: The extra.
        what: What needs it, as an error's field.

    Raises:
        MissingExtra: a module of the extra can't be found. Another import error stays what it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in MODULES[extra]:
            raise
        raise MissingExtra(what, extra, module) from None


def need(extra: str, what: str) -> None:
    """See to it that an extra's modules are there, before anything is begun that uses them; none is imported.

    Raises:
        MissingExtra: one is not.
    """
    for module in MODULES[extra]:
        if not there(module):
            raise MissingExtra(what, extra, module)


def there(module: str) -> bool:
    """Whether a top-level module can be imported."""
    try:
        return find_spec(module) is not None
    except ValueError:  # one that was put into sys.modules by hand
        return True
    except ImportError:  # somebody's finder keeps it away
        return False
