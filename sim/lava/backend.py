"""The Lava back end."""

import torch

from stochi.hardware.draws import Draws
from stochi.program.program import Program
from stochi.sim.lava.session import LavaSession
from stochi.sim.record import Record
from stochi.sim.recording import Probes, Progress
from stochi.turns import turn


class LavaBackend:
    """Lava's runtime, started for every run and ended with it."""

    def run(
        self,
        program: Program,
        shown: torch.Tensor,
        draws: Draws,
        probes: Probes,
        progress: Progress,
    ) -> Record:
        """Run a batch; see :class:`stochi.sim.backends.Backend`."""
        # Lava has one list of processes, and a fork would inherit the pipes of another runtime.
        with turn(), LavaSession(program, shown.shape[1]) as session:
            return session.run(shown, draws, probes, progress)
