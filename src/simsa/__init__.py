"""simsa: is the fine-tune really better?"""

from __future__ import annotations

__version__ = "0.1.0"
