"""The sounds of the chosen head's lines over the time of the Sequencer, the Dope Sheet and the Graph Editor."""
