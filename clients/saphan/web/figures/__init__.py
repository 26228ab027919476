"""Volumes and times."""
