"""Benchmarks: `make bench`, or `python -m benchmarks TABLE` for one table.

Most figures are ratios of cases that run in turns, so that a busy machine slows both alike. Cases are measured in CPU
seconds where possible. The medians go to `benchmarks/results/` as JSON and Markdown. `docs/explanation/performance.md`
explains them.

  corpus    photographs as JPEGs of 800 x 800 to 24 megapixels
  measure   turns, medians, CPU, memory
  results   JSON and Markdown
  peers     other programs that do the same job
  tables    an app without workers, and requests inserted straight into its tables
  runs      requests on a running stack
"""
