"""dwmtl: one network that tells who a face is and what it expresses, trained with dynamic task weights.

Method: Ming et al., Dynamic Multi-Task Learning for Face Recognition with Facial Expression,
ICCV workshop 2019, arXiv:1911.03281.
"""

__version__ = "0.1.0"
