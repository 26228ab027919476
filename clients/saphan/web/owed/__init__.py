"""Requests owed and owing, with their clocks."""
