"""`python -m mystira`: the commands, for where the script is not on the path."""

from mystira.cli import main

if __name__ == "__main__":
    main()
