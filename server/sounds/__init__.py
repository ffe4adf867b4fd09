"""What was heard, sound by sound: a recogniser on the features of the model, and forced alignment to a transcript."""
