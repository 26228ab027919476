"""What one node and the broker say to each other: login, requests, feed, attachments in parts."""
