"""What peers send us: authenticate, admit, record, apply."""
