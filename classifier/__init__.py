"""Holds galleries in memory, fresh, and says who is in an image."""

import os

# One core reads all that memory can give, and threads that wait for each other would keep the embedders from
# theirs. NumPy's library looks at this when it is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
