"""Engines that keep the broker's logs, bulletins and mailboxes, all behind `store.base.Store`."""
