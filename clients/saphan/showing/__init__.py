"""What a bulletin says, as a document for people: pure, without a page or a terminal around it."""
