"""What ``mdbopt bench`` is made of: clocks, yardsticks, cases, and peers that may be installed."""
