"""What everything stands on: errors, ids, clock, text, secrets. No I/O, no domain."""
