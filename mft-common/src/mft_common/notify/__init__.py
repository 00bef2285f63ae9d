"""Send webhooks and mails about changes of state, at least once each.

`Notifications` defines the table and writes rows in the transaction of the change, `delivery_task` sends them, and
`purge_given_up_task` deletes those that were given up long ago. A notification that cannot be delivered changes nothing
of the work that it is about.
"""

from mft_common.notify.channels import Channels, Mail, Webhook
from mft_common.notify.delivery import Delivery, delivery_task, purge_given_up_task
from mft_common.notify.errors import NotDelivered
from mft_common.notify.notifications import Notification, Notifications, create_table, drop_table, mail, webhook

__all__ = [
    "Channels",
    "Delivery",
    "Mail",
    "NotDelivered",
    "Notification",
    "Notifications",
    "Webhook",
    "create_table",
    "delivery_task",
    "drop_table",
    "mail",
    "purge_given_up_task",
    "webhook",
]
