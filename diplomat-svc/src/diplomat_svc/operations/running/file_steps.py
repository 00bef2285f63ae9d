"""Make the steps that change one file on its way, in their fixed order (E32)."""

from diplomat_svc.operations.running.protection import Protection
from diplomat_svc.operations.running.text_mode import TextMode
from mft_common.transfer.steps import MakeSteps, Step
from mft_common.transfer.steps.keep import Kept


class FileSteps:
    """The steps of one file: decrypt and verify, convert text, sign and encrypt, those of them that are asked for.

    What they change is `kept` as it is delivered.
    """

    def __init__(self, protection: Protection | None, text: TextMode | None, kept: Kept | None = None) -> None:
        self._protection = protection
        self._text = text
        self._kept = kept
        # The list of the step that decrypts, which fills it at the end of the file.
        self._told: list[str] = []

    @property
    def make(self) -> MakeSteps | None:
        """The makers of the steps of one try; None where the bytes stay as they are."""
        protection = self._protection
        decrypt = [self._decrypt] if protection is not None and protection.decrypts else []
        text = [] if self._text is None else [self._text.step]
        encrypt = [protection.encrypt] if protection is not None and protection.encrypts else []
        made: MakeSteps = [*decrypt, *text, *encrypt]
        if made and self._kept is not None:
            made = [*made, self._kept.step]
        return made or None

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings about the integrity of the file that was delivered (74)."""
        found = list(self._told)
        if self._text is not None and self._text.problem:
            found.append(self._text.problem)
        return tuple(found)

    def _decrypt(self) -> Step:
        assert self._protection is not None
        step = self._protection.decrypt()
        self._told = step.warnings
        return step
