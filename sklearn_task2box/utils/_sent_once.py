"""Containers that a cluster gets once."""

import pickle


class SentOnce:
    """Base class of what joblib sends to Dask's workers once, since it states its size."""

    def __sizeof__(self):
        buffers = []  # of arrays, which are not copied
        rest = pickle.dumps(self, protocol=5, buffer_callback=buffers.append)
        return len(rest) + sum(buffer.raw().nbytes for buffer in buffers)
