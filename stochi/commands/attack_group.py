"""``stochi attack CHECKPOINT PROGRAM`` and ``stochi attack study``, in one group."""

from typing import Any

from typer.core import TyperGroup

DEFAULT = "program"


class AttackGroup(TyperGroup):
    """A group in which the name of the default command may be left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put that name in front where no other one is."""
        if args and args[0] not in (*self.commands, "--help"):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)
