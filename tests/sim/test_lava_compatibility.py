import importlib.util
import subprocess
import sys
import textwrap

import pytest

from stochi.sim.lava import compatibility
from stochi.sim.lava.compatibility import LavaUnavailable, import_lava, lava_status

STOCK_RUN = """
    import multiprocessing
    multiprocessing.set_start_method("fork")
    import dataclasses
    before = dataclasses.dataclass, multiprocessing.set_start_method
    from stochi.sim.lava.compatibility import import_lava
    import_lava()
    assert before == (dataclasses.dataclass, multiprocessing.set_start_method)
    import numpy as np
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.dense.process import Dense
    from lava.proc.lif.process import LIF

    left = LIF(shape=(1,), du=4095, dv=0, bias_mant=100, vth=1)
    dense = Dense(weights=np.array([[2], [4]]))
    right = LIF(shape=(2,), du=4095, dv=0, vth=1000)
    left.s_out.connect(dense.s_in)
    dense.a_out.connect(right.a_in)
    right.run(condition=RunSteps(num_steps=5), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    # A spike at each step, seen a step later, weights shifted by 6.
    print(right.v.get().tolist())
    right.stop()
"""


@pytest.mark.lava
def test_stock_lava_runs_and_warns_about_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", "-c", textwrap.dedent(STOCK_RUN)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[512.0, 1024.0]"
    assert "Warning" not in done.stderr


@pytest.mark.parametrize("left", ["nothing", "empty folders"])
def test_missing_lava_says_what_to_type(left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str, package: str | None = None) -> None:
        if left == "nothing":
            raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib.util, "find_spec", find)
    monkeypatch.delitem(sys.modules, compatibility._LAST_ADAPTED, raising=False)
    assert lava_status() == (False, f"lava-nc is not installed; type: {compatibility.INSTALL}")
    with pytest.raises(LavaUnavailable, match="--ignore-requires-python lava-nc"):
        import_lava()
