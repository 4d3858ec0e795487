"""Arrays of PyTorch and of Taichi: told apart, checked, and given to kernels.

`bridge` is the two front ends' common face; an `operator` is how kernels are called, whatever
arrays they are called on. `calls.apply` runs operators, `calls.apply_kernel` single kernels, which
`launcher.kernel` makes; `checks.check_arrays` looks at all arrays of a call first. Nothing in this
wing knows of meshes or images.
"""

from taichi_softras.arrays.bridge import is_array as is_array
from taichi_softras.arrays.bridge import is_tensor as is_tensor
from taichi_softras.arrays.runtime import init as init
from taichi_softras.arrays.sparse import SparseMatrix as SparseMatrix
from taichi_softras.arrays.taichi_bridge import from_numpy as from_numpy
