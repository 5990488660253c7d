"""The parts of bench/find.py: archives, questions, and what is measured with them."""
