"""``python -m stochi`` is the ``stochi`` command."""

from stochi.commands.main import main

if __name__ == "__main__":
    main()
