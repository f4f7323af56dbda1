"""What we owe peers: signed, in order, until it is there."""
