"""The command line on a teacher and two students of table 1, which may train side by side."""

from tests.reproduce.two_rows import main

if __name__ == "__main__":
    main(0, -2, -1)
