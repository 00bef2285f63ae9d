"""Make the steps that change one file on its way, in their fixed order (E32)."""

from diplomat_svc.operations.running.text_mode import TextMode
from mft_common.transfer.steps import MakeSteps


class FileSteps:
    """The steps of one file: `make` for each try, None where its bytes stay as they are."""

    def __init__(self, text: TextMode | None) -> None:
        self._text = text

    @property
    def make(self) -> MakeSteps | None:
        """What makes the steps of one try."""
        return None if self._text is None else (self._text.step,)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may touch the integrity of the file that was delivered."""
        return (self._text.problem,) if self._text is not None and self._text.problem else ()
