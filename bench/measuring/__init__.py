"""What the benches measure with: clocks, yardsticks, cases, and peers that may be installed."""
