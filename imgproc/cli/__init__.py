"""The `imgproc` command: one file for each group of commands."""
