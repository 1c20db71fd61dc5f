"""What is typed after ``lavlive``: one module a command."""
