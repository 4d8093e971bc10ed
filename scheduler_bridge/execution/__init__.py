"""How the code of a job is executed, and what comes back."""
