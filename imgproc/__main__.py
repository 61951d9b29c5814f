"""`imgproc` and `python -m imgproc` are the command line."""

import sys

INTERRUPTED = 130  # as shells say it: 128 + SIGINT


def main() -> None:
    """Run the command line. Ctrl-C is answered plainly, also while its modules are loaded."""
    try:
        from imgproc.cli.main import main as run  # noqa: PLC0415 - Ctrl-C is answered while it loads, too

        run(prog_name="imgproc")
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
