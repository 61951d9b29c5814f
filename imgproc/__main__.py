"""`python -m imgproc` is the command line."""

from imgproc.cli.main import main

main(prog_name="imgproc")
