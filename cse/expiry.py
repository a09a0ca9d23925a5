"""What happens because time passes: resources expire, batches are due (TS-0004 7.3.3.5, 7.5.1.2.7)."""

from cse import notify
from cse.primitives import Notice
from cse.schema import Change


def expire(change: Change, most: int) -> int:
    """Delete up to ``most`` resources whose expirationTime has passed, each with its subtree, events and hooks; tell how many were due."""
    due = change.transaction.expired(change.time, most)
    for record in due:
        if change.transaction.get(record.ri) is not None:
            change.remove(record)
    return len(due)


def release_batches(change: Change) -> float | None:
    """Send the batches whose duration is over; give the time in seconds at which the next one is, None without any."""
    waiting: dict[tuple[str, str], list[Notice]] = {}
    after = 0
    while held := change.transaction.notices(after, held=True):
        after = held[-1].id
        for notice in held:
            waiting.setdefault((notice.subscription, notice.target), []).append(notice)
    following: float | None = None
    for batch in waiting.values():
        if batch[0].due <= change.seconds:
            notify.release(change, batch)
        else:
            following = batch[0].due if following is None else min(following, batch[0].due)
    return following
