"""One script per figure. Each has `measure()`, prints JSON, and counts CPU time, bytes and ratios.

`python -m benchmarks` runs them all, `python -m benchmarks.turn` one of them.
"""
