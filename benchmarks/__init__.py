"""Side by side with the packages a user would call instead: `python -m benchmarks`.

A module a comparison; its `rows(scale)` yields the table's rows. Both sides see the same text in
the same run, in turns, and every row says what was compared and how far apart the numbers were.
"""
