"""The example channel of docs/channels.md as a module."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).parents[3] / "docs" / "channels.md").read_text()
CODE = re.search(r"```python\n(# shop/pager\.py\n.*?)```", PAGE, re.S)
assert CODE is not None
exec(CODE[1])
LINES = CODE[1].count("\n")
