"""Files of a user: a network in Python, its weights, inputs and labels."""

from pathlib import Path

import numpy as np
import torch

from benchmarks.support.networks import EventsNet, Tutorial5, strong

CODE = """
import snntorch as snn
import torch
from torch import nn

from benchmarks.support.networks import EventsNet, RLeakyNet, Tutorial5, Tutorial6, strong

print("words of the network's file")
ready = Tutorial5()
number = 3


def make_net():
    return Tutorial5()


def unlucky():
    raise ValueError("no data\\nhere")


def leaves():
    raise SystemExit(0)


def nothing():
    return None


def needs(width, depth=2):
    return Tutorial5()


def not_finite():
    made = Tutorial5()
    made.fc1.weight.data[0, 0] = float("nan")
    return made


class OneImage(Tutorial5):
    def forward(self, x):
        if len(x) > 1:
            raise RuntimeError("one image at a time")
        return super().forward(x)


class Fails(nn.Module):
    def forward(self, x):
        raise RuntimeError("not written yet")


class RandomNet(nn.Module):
    def __init__(self):
        from stochi.train import RandomTauLeaky

        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(64, 10)
        self.fc.weight.data *= 6
        self.lif = RandomTauLeaky()

    def forward(self, x):
        membrane, out = self.lif.init_leaky(), []
        for _ in range(4):
            spikes, membrane = self.lif(self.fc(x.flatten(1)), membrane)
            out.append(spikes)
        return torch.stack(out)
"""


def write_own(folder: Path) -> None:
    """Write the code and every file, fitting and not, that the tests name."""
    (folder / "own.py").write_text(CODE)
    (folder / "broken.py").write_text("def make_net(:\n")
    torch.manual_seed(0)
    net = strong(Tutorial5())
    state = net.state_dict()
    torch.save(state, folder / "w.pt")
    torch.save({"epoch": 3, "state_dict": state}, folder / "trainer.pt")
    torch.save({"epoch": 3, "net": state, "optimizer": {"state": {}}}, folder / "nested.pt")
    torch.save({"epoch": 3, "net": [state]}, folder / "listed.pt")
    torch.save({"net": state, "ema": state}, folder / "twice.pt")
    torch.save({"net": state, "critic": {"a.weight": torch.zeros(2)}}, folder / "pair.pt")
    torch.save({f"module._orig_mod.{name}": v for name, v in state.items()}, folder / "wrapped.pt")
    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 2)), folder / "pickled.pt")
    other = state | {"fc1.weight": torch.zeros(3, 3), "fc3.weight": torch.zeros(1)}
    del other["fc2.bias"]
    torch.save(other, folder / "other.pt")
    torch.save(strong(EventsNet()).state_dict(), folder / "events.pt")
    (folder / "cut.pt").write_bytes((folder / "w.pt").read_bytes()[:1000])
    (folder / "empty.pt").write_bytes(b"")
    (folder / "empty.safetensors").write_bytes(b"")
    images = torch.rand(8, 1, 8, 8).numpy()
    with torch.no_grad():
        labels = net(torch.from_numpy(images))[0].sum(0).argmax(1).numpy()
    events = np.random.default_rng(0).random((10, 6, 64)) < 0.4
    arrays = {
        **{"x": images, "y": labels, "events": events, "events_y": labels[:6]},
        **{"nan": np.where(images > 0.9, np.nan, images), "rgb": images.repeat(3, 1)},
        **{"pixels": (images * 255).astype(np.uint8), "flat": images[0, 0, 0]},
        **{"words": np.array([["a", "b"]]), "objects": np.array([{}], object)},
        **{"few": labels[:3], "floats": labels.astype(float), "one_hot": np.eye(8, 10)},
        **{"large": labels + 99, "negative": labels - 100},
    }
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    torch.save(torch.from_numpy(images), folder / "x.pt")
    np.savez(folder / "test.npz", inputs=images, labels=labels)
    np.savez(folder / "two.npz", a=images, b=images)
    np.savez(folder / "none.npz")
    (folder / "cut.npy").write_bytes((folder / "x.npy").read_bytes()[:300])
    (folder / "cut.npz").write_bytes((folder / "test.npz").read_bytes()[:1000])
