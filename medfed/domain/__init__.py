"""Records, rules and decisions; pure."""
