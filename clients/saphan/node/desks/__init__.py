"""The agency's own desks at its node: listener, login, session, answers."""
