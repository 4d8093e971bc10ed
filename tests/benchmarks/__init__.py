"""What scheduling costs, here and with its peers: ``python -m tests.benchmarks`` measures it; nothing is asserted."""
