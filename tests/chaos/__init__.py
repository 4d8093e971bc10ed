"""Forty jobs, two runners and a fault every few seconds; the audit at the end says what was lost, doubled or silent."""
