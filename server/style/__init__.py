"""Style cards from reference performances: the sound of an actor and a recording of the face that belongs to it."""
