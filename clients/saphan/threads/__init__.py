"""What bulletins say of each other, and who owes whom an answer by when; pure."""
