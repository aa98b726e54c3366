"""Builds the wheel: maturin's, and in it the command `datadiet`, and `datadiet-worker` where PyTorch's libraries are.

A command of its own, not a function of the extension module: it starts in milliseconds, keeps its signals, and is
what `cargo build` makes.

With DATADIET_VENDOR=1 the source distribution holds the sources of all crates, and builds offline.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import maturin
from maturin import (  # noqa: F401 -- the other hooks of a build backend
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)

ROOT = Path(__file__).resolve().parents[2]
# `[tool.maturin] data` in pyproject.toml: wheels install what is in `scripts` beside python.
SCRIPTS = ROOT / "target/wheel-data/scripts"


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    # maturin wants the folder of `data` to be there.
    SCRIPTS.mkdir(parents=True, exist_ok=True)
    return maturin.prepare_metadata_for_build_wheel(metadata_directory, config_settings)


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    build_programs()
    return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    build_programs()
    return maturin.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    """All files that git knows; maturin's own would leave out the programs, on which the module does not depend."""
    with tempfile.TemporaryDirectory() as folder:
        info = prepare_metadata_for_build_wheel(folder)
        name = info.removesuffix(".dist-info")
        files = [(ROOT / path, path) for path in tracked_files()]
        files.append((Path(folder) / info / "METADATA", "PKG-INFO"))
        if os.environ.get("DATADIET_VENDOR"):
            files = [pair for pair in files if pair[1] != ".cargo/config.toml"]
            files += vendored_files(Path(folder))
        with tarfile.open(Path(sdist_directory) / f"{name}.tar.gz", "w:gz") as archive:
            for source, path in files:
                archive.add(source, f"{name}/{path}", recursive=False)
    return f"{name}.tar.gz"


# What builds nothing: figures and tables of results, what tests and fuzzers read.
# A toolchain of ours is not what others must fetch.
NOT_BUILT = (
    *("results/", "fuzz/", "bench/", "crates/ingest/tests/corpus/"),
    *(".ci/", ".github/", ".gitignore", "rust-toolchain.toml"),
)


def tracked_files():
    if not (ROOT / ".git").exists():
        # A source distribution is made of a source distribution as it is.
        every = (path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file())
        return sorted(
            path for path in every if not path.startswith("target/") and path != "PKG-INFO"
        )
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout
    return [path for path in listed.decode().split("\0") if path and not path.startswith(NOT_BUILT)]


def vendored_files(folder):
    """The sources of all crates, and the setting that has cargo take them."""
    crates = folder / "vendor"
    command = ["cargo", "vendor", "--locked", "--versioned-dirs", crates]
    setting = subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    config = folder / "config.toml"
    own = (ROOT / ".cargo/config.toml").read_text(encoding="utf-8")
    config.write_text(own + "\n" + setting.replace(str(crates), "vendor"), encoding="utf-8")
    found = (path for path in crates.rglob("*") if path.is_file())
    files = [(path, f"vendor/{path.relative_to(crates).as_posix()}") for path in found]
    return [*files, (config, ".cargo/config.toml")]


def build_programs():
    """Compiles the programs and lays them where maturin takes them from."""
    packages = ["datadiet"]
    libtorch = Path(os.environ.get("LIBTORCH", ROOT / ".torch/libtorch"))
    if (libtorch / "lib").is_dir():
        packages.append("datadiet-worker")
    command = ["cargo", "build", "--release"]
    for package in packages:
        command += ["--package", package]
    subprocess.run(command, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    shutil.rmtree(SCRIPTS, ignore_errors=True)
    SCRIPTS.mkdir(parents=True)
    suffix = ".exe" if os.name == "nt" else ""
    for package in packages:
        program = SCRIPTS / (package + suffix)
        shutil.copy2(target / "release" / program.name, program)
        if os.name == "posix":
            subprocess.run(["strip", program], check=True)
        if package == "datadiet-worker" and sys.platform == "linux":
            # PyTorch is looked for where the wheel is installed, not where it was on this machine.
            subprocess.run(["patchelf", "--remove-rpath", program], check=True)


if __name__ == "__main__":
    build_programs()
