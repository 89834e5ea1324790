"""Makes what the wheel holds: the generated module, its types, and the library, stripped.

TAKINGS_PROFILE names cargo's profile for the library: `release` if not given (what ships: minutes of linking), `bench-fast`
(as fast to run, four times quicker to build) or `dev`. The module is generated from the unoptimised library in either
case: what it says of the exports is the same, and stripping takes it away.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
import stubs  # noqa: E402

PROFILES = ("release", "bench-fast", "dev")


def run(*command, **more):
    """What it says belongs to standard error: standard output is the build frontend's."""
    done = subprocess.run([str(word) for word in command], cwd=ROOT, **({"stdout": sys.stderr} | more))
    if done.returncode != 0:
        sys.exit(f"error: {command[0]} failed, exit code {done.returncode}")
    return done.stdout


def cargo(*args, **more):
    return run(os.environ.get("CARGO", "cargo"), *args, **more)


def target_directory():
    found = cargo("metadata", "--format-version", "1", "--no-deps", stdout=subprocess.PIPE)
    return Path(json.loads(found)["target_directory"])


def platform_tag(library):
    """Where the library loads. On Linux that follows from the newest version of the C library it asks for."""
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    if not platform.startswith("linux_"):
        return platform
    machine = platform.removeprefix("linux_")
    wanted = [int(minor) for minor in re.findall(rb"\0GLIBC_2\.(\d+)", library.read_bytes())]
    return f"manylinux_2_{max(wanted)}_{machine}" if wanted else f"musllinux_1_2_{machine}"


def strip(library):
    options = ["-x"] if sys.platform == "darwin" else ["--strip-unneeded"]
    run("strip", *options, library)


class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        profile = os.environ.get("TAKINGS_PROFILE") or "release"
        if profile not in PROFILES:
            sys.exit(f"error: TAKINGS_PROFILE is one of {', '.join(PROFILES)}, not {profile}")
        if version == "editable":
            sys.exit("error: an editable installation is not made here; build the wheel")
        target = target_directory()
        made, generated = target / "wheel" / "takings", target / "wheel" / "generated"
        # All that crosses the border in one choice of packages, as in the tests: nothing is built twice.
        border = ["takings-ffi", "takings-bindgen", "scenarios", "sandbox-acquirer"]
        cargo("build", "--quiet", *(word for name in border for word in ("--package", name)))
        run(target / "debug" / "takings-bindgen", generated)
        (built,) = (path for path in (generated / "python").iterdir() if path.stem == "libtakings_ffi")
        if profile != "dev":
            cargo("build", "--profile", profile, "--package", "takings-ffi")
            built = target / profile / built.name

        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        library = made / built.name
        shutil.copy(built, library)
        strip(library)
        shutil.copy(generated / "python" / "takings.py", made / "__init__.py")
        face = (ROOT / "bindings" / "bindgen" / "face.txt").read_text("utf-8")
        (made / "__init__.pyi").write_text(stubs.of(face), "utf-8")
        (made / "py.typed").write_text("", "utf-8")

        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag(library)}"
        build_data["force_include"] = {str(path): f"takings/{path.name}" for path in sorted(made.iterdir())}
        self.app.display_info(f"{library.name}, {profile}, stripped: {library.stat().st_size:,} bytes; {build_data['tag']}")
