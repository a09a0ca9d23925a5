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
    """Send batches whose duration is over and what rate limits kept back until now; give the time in seconds at which the next one is, None without any."""
    waiting: dict[tuple[str, str], list[Notice]] = {}
    after = 0
    while held := change.transaction.notices(after, held=True):
        after = held[-1].id
        for notice in held:
            waiting.setdefault((notice.subscription, notice.target), []).append(notice)
    following: float | None = None
    for (subscription, _), batch in waiting.items():
        record = change.transaction.get(subscription)
        batched = record is None or notify.batches(record)
        due = batch if batched and batch[0].due <= change.seconds else [notice for notice in batch if not batched and notice.due <= change.seconds]
        if due:
            notify.release(change, due, batched)
        if len(due) < len(batch):
            soonest = min(notice.due for notice in batch[len(due) :])
            following = soonest if following is None else min(following, soonest)
    return following
