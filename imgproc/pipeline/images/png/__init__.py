"""Reads PNG as Chromium shows it."""
