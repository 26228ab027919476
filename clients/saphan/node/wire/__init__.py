"""The line to the broker: login, what is sent, fetched and asked again."""
