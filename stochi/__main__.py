"""``python -m stochi`` is the ``stochi`` command."""

from stochi.commands.app import main

if __name__ == "__main__":
    main()
