"""Real engines for real faults: a broker of a test's own, four workers that are kept alive, and ways to harm both."""
