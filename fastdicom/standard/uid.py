"""What a UID looks like. PS3.5 9.1."""

import re
from typing import Final

UID: Final = re.compile(r"(?=.{1,64}\Z)[0-9]+(?:\.[0-9]+)*\Z")
"""Leading zeros, which the standard forbids and devices write, are let pass."""
