"""The Mastodon client API and medfed's own."""
