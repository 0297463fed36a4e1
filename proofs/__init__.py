"""The long run: everything that tries to break the promise, with a report of what it tried.

python -m proofs                 every trial, going on where the last run stopped
python -m proofs model           one trial
python -m proofs --fresh         forget what was found before
"""
