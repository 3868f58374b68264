"""`python -m metrics.sandbox`: how programs are held on this machine, or why none may run."""

import sys

from inference.errors import Unavailable
from metrics.sandbox import describe

try:
    for name, words in describe().items():
        sys.stdout.write(f"{name}: {words}\n")
except Unavailable as error:
    sys.exit(error.message)
