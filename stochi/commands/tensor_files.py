"""Files of tensors, read without running any code that they hold."""

from pathlib import Path
from typing import Any

from stochi.errors import InputError, first_line
from stochi.files import what_is_missing

SAFETENSORS = ".safetensors"
TORCH = (".pt", ".pth", ".ckpt", ".bin")


def load_tensors(path: Path) -> Any:
    """Read a file of ``torch.save`` or of safetensors: tensors and plain values only.

    Raises:
        InputError: the file is missing or damaged, or reading it would run code.
    """
    import torch

    _check_file(path)
    if path.suffix == SAFETENSORS:
        return _load_safetensors(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises errors of many kinds for a foreign file
        raise InputError(f"{path}: {_why_not(path, error)}") from error


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path}: {what_is_missing(path)}")


def _load_safetensors(path: Path) -> Any:
    try:
        from safetensors.torch import load_file
    except ImportError:
        raise InputError(
            f"{path}: reading it needs the library safetensors (pip install safetensors); or save"
            " the weights with torch.save(model.state_dict(), 'weights.pt')"
        ) from None
    try:
        return load_file(path)
    except Exception as error:  # the library raises its own kinds
        raise InputError(
            f"{path}: not a safetensors file, or a damaged one: {first_line(error)}"
        ) from error


def _why_not(path: Path, error: Exception) -> str:
    """Return why torch does not read a file: code in it, or damage."""
    import torch

    try:
        code = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # an older or a foreign format
        code = []
    if code:
        shown = ", ".join(sorted(code)[:4]) + (f" and {len(code) - 4} more" if code[4:] else "")
        return (
            f"reading it would run code ({shown}), so it is not read; save the tensors alone:"
            " torch.save(model.state_dict(), path)"
        )
    if "weights_only" in str(error) and path.open("rb").read(2) != b"PK":
        return (
            "not a file of torch.save, a damaged one, or one whose reading would run code; save"
            " the tensors alone: torch.save(model.state_dict(), path)"
        )
    return "not a file of torch.save, or a damaged one; save it again"
