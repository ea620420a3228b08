"""Break the rules of money one at a time, each in a copy of the tree, and see whether a test of its module turns red.

``python -m tools.mutants`` runs all of them; ``--list`` only names them; a word runs those whose name holds it.

What was tried first. cosmic-ray (8.7) mutates the files of the work tree in place, runs one test command for all
modules, and its operators know nothing of guards, reserves and outcomes: of the some thousand mutants that it makes of
these modules, most say nothing about money. mutmut (3.8) swaps the bodies of functions behind trampolines: tables of
constants, where it is written what an answer means, are not mutated, and no operator can be added. mutatest (3.1) needs
coverage < 6, which has no wheel for these Pythons. So the rules are ours (``rules.py``), some lines of ``ast`` each;
pytest runs the tests.
"""
