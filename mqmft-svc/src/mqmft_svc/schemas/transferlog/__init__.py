"""Read the audit messages of IBM MQ Managed File Transfer as changes of the record (1.N)."""

from mqmft_svc.schemas.transferlog.messages import MAX_MESSAGE, read_message
from mqmft_svc.schemas.transferlog.values import MessageUnreadable

__all__ = ["MAX_MESSAGE", "MessageUnreadable", "read_message"]
