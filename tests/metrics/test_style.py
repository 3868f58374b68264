"""Counts of Markdown, and that hostile texts cost no more than others."""

from __future__ import annotations

import math
import time

import numpy as np

from metrics.text.style import Style, differences, style

TEXT = """# One
## Two
#hashtag
- a point with **bold** and __more__
  * another
3. a third, 2 ** 3 ** 4 not **
-5 degrees

```python
# no header
- no point
**kwargs**
```
1) the last
"""


def test_markdown_is_counted_outside_code() -> None:
    assert style(TEXT) == Style(len(TEXT), headers=2, lists=4, bold=3)
    assert style("") == Style(0, 0, 0, 0)
    assert style("# a\n```\n# b").headers == 1


def test_differences_are_of_logarithms() -> None:
    found = differences([("ab", "abcde"), ("# a\n- b", "a")])
    assert list(found) == ["log_length", "log_headers", "log_lists", "log_bold"]
    np.testing.assert_allclose(found["log_length"], [math.log(3 / 6), math.log(8 / 2)])
    np.testing.assert_allclose(found["log_lists"], [0.0, math.log(2)])
    assert differences([])["log_bold"].shape == (0,)


def test_no_text_takes_long() -> None:
    started = time.perf_counter()
    for part in ("*", "**a", "__a", " ", "\n", "# ", "- ", "1", "```\n"):
        style(part * (1_000_000 // len(part)))
    assert time.perf_counter() - started < 5
