"""Programs that show how the package is used; in `demos.paper`, what the method is good for."""
