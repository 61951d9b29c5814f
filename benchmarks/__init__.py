"""Benchmarks: `make bench`, or `python -m benchmarks TABLE` for one table.

Every figure is a ratio of things run in turns in one process or one run, so that a busy machine slows both alike. Cases
are measured in CPU seconds where they can be, their medians are reported, and results go to `benchmarks/results/` as
JSON and Markdown. `docs/explanation/performance.md` says what they mean.

  corpus    real photographs as JPEGs of 800 x 800 to 24 megapixels
  measure   turns, medians, CPU, memory
  results   JSON and Markdown
  peers     how others do the same job
  servers   an image host and the stack, on loopback
"""
