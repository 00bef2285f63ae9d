"""Change the bytes of a file on their way from the reader to the writer."""

from mft_common.transfer.steps.contract import MakeSteps, Step

__all__ = ["MakeSteps", "Step"]
