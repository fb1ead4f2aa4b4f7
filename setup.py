"""What is in the wheel; all else stands in `pyproject.toml`.

The presets are files of the repository's `programs/` and of the package `pdr_dspy.programs` in the wheel: one copy,
which a mapping of folders alone can say.
"""

from __future__ import annotations

from setuptools import find_namespace_packages, setup
from setuptools.command.build_py import build_py

PRESETS = "pdr_dspy.programs"


class BuildWithoutExamples(build_py):
    """Takes the presets alone from `programs/`: what stands beside them are examples to be read in the repository."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """The modules of a package, as setuptools asks for them."""
        found: list[tuple[str, str, str]] = super().find_package_modules(package, package_dir)
        return [] if package == PRESETS else found


setup(
    packages=[*find_namespace_packages(include=["pdr_dspy*", "optimize*"]), PRESETS],
    package_dir={PRESETS: "programs"},
    package_data={
        "pdr_dspy": ["py.typed", "prompts/*.yaml", "embedded/weights/*"],
        PRESETS: ["*.yaml", "*.json"],
    },
    cmdclass={"build_py": BuildWithoutExamples},
)
