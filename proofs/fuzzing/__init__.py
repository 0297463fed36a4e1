"""Made-up values that look for what nobody thought of, in what reads and writes values.

Each target (`hunts.TARGETS`) is tried in two ways that share one statement of what must hold: Hypothesis
makes values after its own knowledge of what breaks programs, and atheris changes bytes, of which values are
made, keeping those that reach branches of the engine that none reached before.

    python -m proofs fuzzing                         all of it, for long
    python -m proofs.fuzzing TARGET                  once more what broke this target, made small
    python -m proofs.fuzzing TARGET FILE             once more the bytes of a file that atheris kept
"""
