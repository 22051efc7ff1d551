"""Small examples of everything that the plugin provides, for `zoo check`."""
