"""The client library: write application entities against any oneM2M CSE, over HTTP or CoAP."""

from apps.client.client import Client, allow
from apps.client.inbox import Inbox
from apps.client.values import MemberAnswer, Notification, Resource
from cse.codes import AccessControlOperation, NotificationEventType, Operation, ResourceTypeID

__all__ = [
    "AccessControlOperation",
    "Client",
    "Inbox",
    "MemberAnswer",
    "Notification",
    "NotificationEventType",
    "Operation",
    "Resource",
    "ResourceTypeID",
    "allow",
]
