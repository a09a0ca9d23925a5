"""Readings of real meters, from a NEM12 file or a P1 stream: nothing is rounded, and every line that was not taken is named with its number."""

from apps.metering.importers.lines import COUNTED, ImportFault, Refused
from apps.metering.importers.nem12_file import AEST, Channel, Day, Header, Nem12, ServiceOrder, nem12
from apps.metering.importers.p1_stream import P1, Item, Telegram, p1

__all__ = ["AEST", "COUNTED", "P1", "Channel", "Day", "Header", "ImportFault", "Item", "Nem12", "Refused", "ServiceOrder", "Telegram", "nem12", "p1"]
