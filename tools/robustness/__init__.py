"""Long runs under faults, and what flashes: run by hand, short versions of them by the tests."""
