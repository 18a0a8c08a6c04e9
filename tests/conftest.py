"""Fixtures for every test; the local engine's live beside it."""

pytest_plugins = ["local.pytest_plugin"]
