"""From stored records to verdicts, scores and pages. Reads records only: numpy and scipy, no torch."""
