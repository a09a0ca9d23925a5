"""A meter with its premise logic: it validates, asks the consumer, applies, records and tells."""
