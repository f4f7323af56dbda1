"""Follow, block, mute."""
