import os
import subprocess
import sys
from pathlib import Path

import pytest

from stochi.hardware.compilation import compile_and_keep
from stochi.sim.engine.compiled import compilation, kernel, neurons


def test_what_is_compiled_in_is_part_of_the_cache_s_key() -> None:
    """Numba itself would not notice a change of the arithmetic in another file."""
    names = {module.__name__ for module in compilation._COMPILED_FROM}
    assert {"stochi.hardware.fixed_point", "stochi.hardware.neuron"} <= names
    one, two = (compile_and_keep(kernel.make_kernel, (module,)) for module in (kernel, neurons))
    names = {k._cache._name((), k.targetctx.codegen()) for k in (one, two)}
    assert len(names) == 2


@pytest.mark.slow
def test_no_loop_leaves_its_memory(tmp_path: Path) -> None:
    """Compiled loops check no bounds; here they do, while they run random Programs."""
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/sim/test_random_programs.py", "-k", "torch"],
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout
