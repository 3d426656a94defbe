"""`python -m goop2` is the `goop2` command."""

from goop2.cli.main import main

if __name__ == "__main__":
    main()
