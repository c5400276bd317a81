"""Interrupted trainings: one goes on with the same bytes, or begins anew with a warning."""

import json
import shutil
import tempfile
import warnings
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import nn

from stochi.data import Images
from stochi.errors import InputError
from stochi.files import is_plain_file
from stochi.tensor_files import digest_of, load_torch
from stochi.train import (
    FreshDraws,
    NetworkConfig,
    TrainingConfig,
    UnfinishedTraining,
    make_twin,
    train_classifier,
)
from stochi.train.training_run import Epoch
from stochi.train.unfinished import DamagedTraining
from tests.fuzz import hostile
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import damage
from tests.fuzz.tensor_files import hostile_tensors, save_summed, torch_files
from tests.fuzz.training_states import almost_right

_NETWORK = NetworkConfig(input_shape=(1, 4, 4), classes=3, time_steps=2, channels=(2, 2))
_PLAIN = replace(_NETWORK, neuron="plain", batch_norm=False)
_ADAM = TrainingConfig(seed=1, epochs=2, batch_size=5, validation_share=3)
_SGD = replace(_ADAM, optimizer="sgd", learning_rate=0.1)
_WHOLE, _ALTERED, _DAMAGED = "whole", "altered", "damaged"
_PARTS = ("weights", "optimizer", "schedule", "history", "best_weights", "epoch", "draws")
_PARTS += ("generator", "cuda")


class _Interrupted(Exception):
    """What stands for a kill."""


@dataclass(frozen=True)
class _Form:
    """A training.

    Attributes:
        within: whether it is interrupted within its second epoch, and not after the first.
    """

    network: NetworkConfig
    config: TrainingConfig
    within: bool = False
    twin: bool = False

    def run(self, place: UnfinishedTraining | None, **more: Any) -> str:
        """Train, and return the digest of all that comes out."""
        model, history = train_classifier(self.build, _samples(), self.config, keep=place, **more)
        results = [[one.number, one.loss, one.validation_accuracy] for one in history]
        return digest_of({"weights": dict(model.state_dict()), "history": results})

    def build(self) -> nn.Module:
        network = self.network.build()
        if not self.twin:
            return network
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return FreshDraws(make_twin(network, _samples().inputs[:1]), 1)


_FORMS = {
    ".plain": _Form(_PLAIN, _SGD),
    ".random": _Form(_NETWORK, _ADAM, within=True),
    ".fixed": _Form(replace(_NETWORK, sampling="fixed"), replace(_SGD, momentum=0.0)),
    ".twin": _Form(replace(_NETWORK, batch_norm=False), _ADAM, twin=True),
}
"""Ending of a file → the training that it was kept of."""


@cache
def _samples() -> Images:
    generator = torch.Generator().manual_seed(0)
    return Images(
        torch.rand(15, 1, 4, 4, generator=generator), torch.randint(3, (15,), generator=generator)
    )


@cache
def _right(ending: str) -> str:
    """Return what an uninterrupted training ends with."""
    return _FORMS[ending].run(None)


_known: set[str] = set()
"""Checksums of the originals."""


def originals(folder: Path) -> list[Path]:
    """Interrupt each training."""
    paths = []
    for ending, form in _FORMS.items():
        paths.append(folder / f"kept{ending}")
        _interrupt(form, paths[-1])
        _known.add(_content(paths[-1])["sha256"])
    return paths


def _interrupt(form: _Form, path: Path) -> None:
    path.unlink(missing_ok=True)
    epochs: list[Epoch] = []

    def after_epoch(done: Epoch) -> None:
        epochs.append(done)
        if not form.within:
            raise _Interrupted

    def after_batch(done: int, total: int) -> None:
        if epochs and done == total:
            raise _Interrupted

    place = UnfinishedTraining(path, seconds=0.0 if form.within else 600.0)
    try:
        form.run(place, progress=after_epoch, batch_progress=after_batch)
    except _Interrupted:
        return
    raise AssertionError("it was not interrupted")


def mutate(random: Random, original: Path, path: Path) -> None:
    """Damage bytes, or a value anywhere under a checksum made anew."""
    if random.random() < 0.5:
        path.write_bytes(damage(random, original.read_bytes()))
        return
    content = _content(original)
    content.pop("sha256")
    if random.random() < 0.2:
        about = json.loads(content["about"])
        _alter(random, about, None, hostile.VALUES)
        content["about"] = json.dumps(about)
    else:
        part = random.choice([name for name in _PARTS if content["state"][name] is not None])
        _alter(random, content["state"], part, (*hostile.VALUES, *hostile_tensors().values()))
    save_summed(content, path)


def _alter(random: Random, content: Any, name: Any, values: tuple[Any, ...]) -> None:
    """Put a hostile value somewhere into nested dictionaries, lists and tensors."""
    while True:
        if name is None:
            name = random.choice(
                list(content) if isinstance(content, dict) else range(len(content))
            )
        inner = content[name]
        if isinstance(inner, dict | list) and inner and random.random() < 0.8:
            content, name = inner, None
            continue
        if isinstance(inner, torch.Tensor) and inner.numel() and random.random() < 0.7:
            content[name] = _altered(random, inner)
        elif isinstance(inner, float) and random.random() < 0.5:
            content[name] = random.choice([v for v in hostile.VALUES if type(v) is float])
        elif random.random() < 0.2:
            del content[name]
        else:
            content[name] = random.choice(values)
        return


def _altered(random: Random, values: torch.Tensor) -> torch.Tensor:
    """Return a tensor with another value, type or shape."""
    changed = values.clone().flatten()
    choices: tuple[float, ...] = (0, -1, 7)
    if values.is_floating_point():
        choices += (-1e30, 1e38, float("nan"))
    value = random.choice(choices)
    changed[random.randrange(len(changed))] = value % 256 if values.dtype == torch.uint8 else value
    what = random.random()
    if what < 0.6:
        return changed.reshape(values.shape)
    if what < 0.8:
        return changed.reshape(values.shape).to(random.choice((torch.float64, torch.int64)))
    return random.choice((changed, changed[1:], changed[None, None]))


def crafted(folder: Path) -> dict[str, Path]:
    """Write every part with every hostile value, bombs, code, and what is no file."""
    paths = {}
    for original in originals(folder)[:2]:
        ending, content = original.suffix, _content(original)
        content.pop("sha256")
        state = content["state"]
        files: dict[str, Any] = {}
        for number, other in enumerate(hostile.replaced(state, hostile.VALUES[::4])):
            files[f"state {number}"] = content | {"state": other}
        for number, other in enumerate(hostile.replaced(content, hostile.VALUES[::4])):
            files[f"field {number}"] = other
        about = json.loads(content["about"])
        for number, other in enumerate(hostile.replaced(about, hostile.VALUES[::6])):
            files[f"about {number}"] = content | {"about": json.dumps(other)}
        for name, part, value in almost_right(state):
            files[f"{part} {name}"] = content | {"state": state | {part: value}}
        for name, other in {"deep": "[" * 200_000, "null": "null", "digits": "9" * 100_000}.items():
            files[f"about {name}"] = content | {"about": other}
        for name, value in files.items():
            paths[f"{ending} {name}"] = folder / f"{name}{ending}"
            save_summed(value, paths[f"{ending} {name}"])
        for name, data in torch_files(original.read_bytes()).items():
            paths[f"{ending} {name}"] = folder / f"{name}{ending}"
            paths[f"{ending} {name}"].write_bytes(data)
    return paths | hostile.no_files(folder, ".plain")


def use(path: Path) -> None:
    """Go on with a training; it ends as without an interruption, unless its content says other."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", DamagedTraining)
        there = is_plain_file(path)
        place = Path(shutil.copy(path, folder)) if there else path
        condition = _condition(place) if there else _WHOLE
        found = _FORMS[path.suffix].run(UnfinishedTraining(place))
    if not there:  # what this training has left
        path.unlink()
    anew = [one for one in caught if one.category is DamagedTraining]
    if condition == _WHOLE:
        assert not anew
    if condition == _DAMAGED:
        assert len(anew) == 1
    if anew or condition != _ALTERED:
        assert found == _right(path.suffix)
    if anew:
        raise InputError(f"{anew[0].message}")


def _condition(path: Path) -> str:
    """Return whether a file holds what was kept, or other values under a right checksum."""
    try:
        content = _content(path)
        held = {name: value for name, value in content.items() if name != "sha256"}
        if content["sha256"] == digest_of(held):
            return _WHOLE if content["sha256"] in _known else _ALTERED
    except Exception:  # torch raises many kinds for a damaged file
        pass
    return _DAMAGED


def _content(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = load_torch(path)
    return content


KIND = Kind("unfinished trainings", originals, mutate, crafted, use)
