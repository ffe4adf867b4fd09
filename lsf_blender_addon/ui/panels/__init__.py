"""The LSF tab, in the sidebars of the 3D viewport and of the sequencer: one file for each subpanel."""
