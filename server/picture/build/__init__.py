"""Builds what server.picture needs: the networks and the places of their landmarks on the head. Not in the zip."""
