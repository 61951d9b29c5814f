"""`python -m imgproc` is the command line."""

from imgproc.cli import main

main(prog_name="imgproc")
