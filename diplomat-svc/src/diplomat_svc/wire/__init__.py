"""Parse parameters from query and form, and render answers as XML."""
