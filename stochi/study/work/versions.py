"""What answers depend on beside the questions: the code, and the libraries that round sums."""

import hashlib
import platform
from pathlib import Path

from stochi.packages import version_of

LIBRARIES = ("torch", "numpy", "numba", "snntorch")


def list_versions() -> dict[str, str]:
    """Return the versions of Stochi's code and of the libraries that compute, by name."""
    return {"Stochi's code": _digest_of_code()} | {
        name: version_of(name) or "missing" for name in LIBRARIES
    }


def name_processor() -> str:
    """Return the name of this machine's processor, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _digest_of_code() -> str:
    """Return a digest of Stochi's source files; its version stays the same between releases."""
    return _digest(Path(__file__).parents[2])


def _digest(package: Path) -> str:
    """Return a digest of a package's source files; links that lead nowhere are left out."""
    digest = hashlib.sha256()
    for top in sorted(package.iterdir()):
        # In a checkout, some folders are links, which rglob does not follow before Python 3.13.
        inside = sorted(top.resolve().rglob("*.py")) if top.is_dir() else [top]
        for path in inside:
            if path.suffix == ".py" and path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
