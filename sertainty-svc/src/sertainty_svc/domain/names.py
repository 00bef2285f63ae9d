"""The rule for names of configurations, IDs, scripts, presets, tasks and templates (17)."""

import re
from typing import Final

_FORBIDDEN_IN_NAMES: Final = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f]')
_DEVICE: Final = re.compile(r"(CON|PRN|AUX|NUL|COM[1-9]|LPT[1-9])(\..*)?", re.IGNORECASE | re.DOTALL)


def is_name(text: str) -> bool:
    """Return whether `text` may name a configuration, ID, script, preset, task or template (17)."""
    return (
        1 <= len(text.encode("utf-8", "surrogatepass")) <= 255
        and not _FORBIDDEN_IN_NAMES.search(text)
        and not text.startswith((".", " "))
        and not text.endswith((".", " "))
        and not _DEVICE.fullmatch(text)
    )
