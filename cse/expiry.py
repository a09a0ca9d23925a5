"""What happens because time passes: resources expire (TS-0004 7.3.3.5)."""

from cse.schema import Change


def expire(change: Change, most: int) -> int:
    """Delete up to ``most`` resources whose expirationTime has passed, each with its subtree, events and hooks; tell how many were due."""
    due = change.transaction.expired(change.time, most)
    for record in due:
        if change.transaction.get(record.ri) is not None:
            change.remove(record)
    return len(due)
