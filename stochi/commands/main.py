"""``stochi``: the commands and how their errors are told."""

import sys

import typer
from typer.exceptions import TyperException

from stochi.commands import attack, demo, deploy, doctor, export, parity, simulate, study, train
from stochi.commands.attack_group import DEFAULT, AttackGroup
from stochi.errors import StochiError

app = typer.Typer(
    name="stochi",
    help="Randomized spiking networks from snnTorch to Loihi arithmetic on Lava, with proof.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("train")(train.train)
app.command("export")(export.export)
app.command("deploy")(deploy.deploy)
app.command("simulate")(simulate.simulate)
attacks = typer.Typer(cls=AttackGroup, no_args_is_help=True)
attacks.command(DEFAULT)(attack.attack)
attacks.command("study")(study.study)
app.add_typer(
    attacks,
    name="attack",
    help="Accuracy under attack: of a network and its Program, or of a whole study. 'stochi attack"
    " CHECKPOINT PROGRAM' is short for 'stochi attack program ...', which has its own --help.",
    short_help="Accuracy under attack, of a Program or in a study.",
)
app.command("parity")(parity.parity)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run a command; a user's mistake is one line on stderr and exit status 2."""
    try:
        status = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except TyperException as error:
        _tell(error.format_message())
    except (StochiError, ImportError) as error:
        _tell(str(error))
    except OSError as error:
        _tell(f"{error.filename or 'file'}: {error.strerror or error}")
    except (KeyboardInterrupt, typer.Abort):
        print("stopped", file=sys.stderr)
        sys.exit(130)
    else:
        sys.exit(status if isinstance(status, int) else 0)


def _tell(message: str) -> None:
    print(f"stochi: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
