"""``stochi doctor``, what is installed and what works."""

import platform
from importlib.metadata import PackageNotFoundError

from stochi.commands.console import Output
from stochi.commands.installed import find_advice
from stochi.commands.options import JsonOption
from stochi.packages import version_of

PACKAGES = ("torch", "numpy", "snntorch", "nir", "scikit-learn", "h5py", "lava-nc", "matplotlib")


def doctor_command(*, as_json: JsonOption = False) -> None:
    """Report what is installed, which back ends work, and how to repair one that does not."""
    output = Output(as_json)
    versions = {name: version_of(name) for name in PACKAGES}
    checks = {
        "engine on the CPU": _check_engine("cpu"),
        "engine on CUDA": _check_cuda(),
        "Lava": _check_lava(),
    }
    advice = _find_advice()
    output.table(
        [["package", "version"], ["python", platform.python_version()]]
        + [[name, version or "missing"] for name, version in versions.items()],
        "Installed",
    )
    output.table(
        [["back end", "what to know", "works"]]
        + [[name, what, "yes" if works else "no"] for name, (works, what) in checks.items()],
        "Back ends",
        text_columns=2,
    )
    for line in advice:
        what, colon, command = line.partition(": ")
        output.prose(f"- {what}{colon}".rstrip(), command)
    output.finish(
        {
            "advice": advice,
            "python": platform.python_version(),
            "packages": versions,
            "back_ends": {
                name: {"works": works, "detail": what} for name, (works, what) in checks.items()
            },
        }
    )


def _find_advice() -> list[str]:
    """Return what to install, nothing if Stochi itself is not installed."""
    try:
        return find_advice()
    except PackageNotFoundError:
        return []


def _check_engine(device: str) -> tuple[bool, str]:
    """Compare a few draws and an exact product on a device with what they must be."""
    try:
        import torch

        from stochi.hardware.draws import LayerDraws
        from stochi.hardware.noise import random_bytes
        from stochi.hardware.synapses import exact_linear

        numbers, draws = torch.arange(20, device=device), LayerDraws(1, 2, layer=3, step=4)
        drawn = random_bytes(numbers[:2], numbers, draws)
        expected = random_bytes(numbers[:2].cpu().numpy(), numbers.cpu().numpy(), draws)
        product = int(exact_linear(numbers[None], numbers[None])[0, 0])
    except Exception as error:
        return False, " ".join(str(error).split()) or type(error).__name__
    if product != 2470 or not bool((drawn.cpu().numpy() == expected).all()):
        return False, "computes wrong integers; report this with the versions above"
    return True, "draws and sums are exact"


def _check_cuda() -> tuple[bool, str]:
    import torch

    if not torch.cuda.is_available():
        return False, (
            "this torch sees no GPU; with one, type: pip uninstall -y torch &&"
            " pip install torch==2.13.0"
        )
    return _check_engine("cuda")


def _check_lava() -> tuple[bool, str]:
    """Import Lava, as a run would; its presence alone does not mean that it works."""
    from stochi.sim.lava.compatibility import LavaUnavailable, import_lava, lava_status

    try:
        import_lava()
    except LavaUnavailable as error:
        return False, str(error)
    return lava_status()
