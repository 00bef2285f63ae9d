"""Make the steps that change one file on its way, in their fixed order (E32)."""

from diplomat_svc.operations.running.protection import Protection
from diplomat_svc.operations.running.text_mode import TextMode
from mft_common.transfer.steps import MakeSteps, Step


class FileSteps:
    """The steps of one file: decrypt and verify, convert text, sign and encrypt, those of them that are asked for."""

    def __init__(self, protection: Protection, text: TextMode | None) -> None:
        self._protection = protection
        self._text = text
        # The list of the step that decrypts, which fills it at the end of the file.
        self._told: list[str] = []

    @property
    def make(self) -> MakeSteps | None:
        """What makes the steps of one try; None where the bytes stay as they are."""
        decrypt = [self._decrypt] if self._protection.decrypts else []
        text = [] if self._text is None else [self._text.step]
        encrypt = [self._protection.encrypt] if self._protection.encrypts else []
        made: MakeSteps = [*decrypt, *text, *encrypt]
        return made or None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may touch the integrity of the file that was delivered (74)."""
        found = list(self._told)
        if self._text is not None and self._text.problem:
            found.append(self._text.problem)
        return tuple(found)

    def _decrypt(self) -> Step:
        step = self._protection.decrypt()
        self._told = step.warnings
        return step
