"""When a process of a pipelined Lava run works on which sample and step."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Samples stream through without gaps; layer l sees all of them ``delay`` steps late.

    Stock ``Dense`` and ``Conv`` send what they computed one step earlier, so the delay of a
    layer is the number of those between it and the input.
    """

    samples: int
    steps: int
    delay: int = 0

    def at(self, time_step: int) -> tuple[int, int] | None:
        """Lava's time step, from 1 → (sample, the layer's own step), or None outside the run."""
        local = time_step - 1 - self.delay
        if not 0 <= local < self.samples * self.steps:
            return None
        return divmod(local, self.steps)
