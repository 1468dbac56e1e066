"""`python -m reproduce`."""

from reproduce.cli.app import main

if __name__ == "__main__":
    main()
