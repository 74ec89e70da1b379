"""Training the stolen net on in a way that its mark stands less than the task does."""
