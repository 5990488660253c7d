"""The compiled kernels. Everything else about the package is in pyproject.toml.

FASTDICOM_SANITIZE=1 builds with AddressSanitizer and UBSan and with Cython's bounds checks on.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup

SANITIZE = os.environ.get("FASTDICOM_SANITIZE") == "1"
RELEASE_FLAGS = ["-O3", "-fno-strict-aliasing", "-Wall", "-Wno-unused-function"]
SANITIZE_FLAGS = ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"]

HERE = Path(__file__).parent
kernels = [
    Extension(
        f"fastdicom.kernels.{source.stem}",
        [f"ext/{source.name}"],
        include_dirs=["ext"],
        extra_compile_args=SANITIZE_FLAGS if SANITIZE else RELEASE_FLAGS,
        extra_link_args=["-fsanitize=address,undefined"] if SANITIZE else [],
    )
    for source in sorted((HERE / "ext").glob("*.pyx"))
]

setup(
    packages=[*find_packages(include=["fastdicom*"]), "fastdicom.systemd"],
    package_dir={"fastdicom.systemd": "systemd"},  # data: what install-service puts in place
    ext_modules=cythonize(
        kernels,
        include_path=["ext"],
        build_dir="build/sanitize" if SANITIZE else None,  # bounds checks are in the C: never mix the two
        nthreads=os.cpu_count() or 1,
        compiler_directives={
            "language_level": 3,
            "binding": False,
            "embedsignature": False,
            "boundscheck": SANITIZE,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": SANITIZE,
        },
    ),
)
