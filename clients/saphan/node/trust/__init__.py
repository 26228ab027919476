"""Keys and agreements as they stand: mailbox keys, what binds by hand, what is held back."""
