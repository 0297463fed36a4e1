"""What the platform claims about its speed, one file a claim, each against a peer or a limit in the same run.

python -m benchmarks                     all of them, each in a process of its own
python -m benchmarks choose start        two of them
python -m benchmarks choose --quick      with small numbers, to see that it works; no figure is kept
python -m benchmarks profile copy        where the processor's time goes
"""
