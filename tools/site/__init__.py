"""The generated parts of the documentation: the command line, recipe fields, artifacts and layers."""
