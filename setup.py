"""What the pre-commit framework installs for the hook id `straykey`: the prebuilt program from PyPI, nothing else.

The framework installs this repository with pip; the package below is empty and depends on the wheel of the same version.
"""

import pathlib
import re

from setuptools import setup

manifest = pathlib.Path(__file__).with_name("Cargo.toml").read_text(encoding="utf-8")
version = re.search(r'^version = "([^"]+)"', manifest, re.MULTILINE).group(1)

setup(
    name="straykey-hook",
    version="0.0.0",
    packages=[],
    py_modules=[],
    install_requires=[f"straykey=={version}"],
)
