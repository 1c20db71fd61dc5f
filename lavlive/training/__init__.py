"""How the bundled models were made; anyone can make their own."""
