"""What runs for a press of a button: requests to the server and what becomes of their results."""
