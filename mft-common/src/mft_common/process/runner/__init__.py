"""Run work in child processes that can be killed, and that die with their parent."""

from mft_common.process.runner.channel import Channel, CommitRefused
from mft_common.process.runner.handle import End, Handle
from mft_common.process.runner.held import HeldInterrupt
from mft_common.process.runner.messages import (
    BEGAN,
    CHECKPOINT,
    ENDED,
    MAY_COMMIT,
    PROGRESS,
    Json,
    MessageTooLarge,
    OnMessage,
)
from mft_common.process.runner.runner import PoolFull, Runner, RunnerUnavailable, child_environment
from mft_common.process.runner.timed import TimedHandle

__all__ = [
    "BEGAN",
    "CHECKPOINT",
    "ENDED",
    "MAY_COMMIT",
    "PROGRESS",
    "Channel",
    "CommitRefused",
    "End",
    "Handle",
    "HeldInterrupt",
    "Json",
    "MessageTooLarge",
    "OnMessage",
    "PoolFull",
    "Runner",
    "RunnerUnavailable",
    "TimedHandle",
    "child_environment",
]
