"""The one public door: what happens to every request, as lists that can be read aloud."""

from gateway.door.door import Door
from gateway.door.options import DoorOptions

__all__ = ["Door", "DoorOptions"]
