"""Who hears about what, and how letters leave."""
