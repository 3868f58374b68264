"""Models behind a URL: whom we may call, how, and what they answer."""
