"""The method in plain PyTorch, to be read: every face at every pixel, differentiated by autograd.

`rasterize` and `rasterize_silhouette` draw what the package's functions of the same names draw,
from the formulas alone: no tiles, no kernels, no gradient made by hand. They take memory and time
of pixels times faces, so they are for tests, for comparisons, and for whoever wants to see what
soft rasterization is, or to try a change of it in a few lines. float64 tensors give float64 images.

An image is made in four steps:

1. `find_fragments`. A fragment is one face j at one pixel i. It has a signed squared distance s_ij
   from the pixel's centre to the face's border, positive inside; a coverage
   D_ij = sigmoid(s_ij / σ); barycentric coordinates w_k; and a depth z_ij = 1 / Σ_k w_k / z_k.
2. `sample_texture`: what colour C_ij the face has there, from its corners, texels or an image map.
3. `aggregate_alpha`: A_i = 1 − Π_j (1 − D_ij), the probability that at least one face covers the
   pixel, were they independent.
4. `aggregate_colors`: the mean of the faces' colours and the background's, weighted by
   D_ij exp(z̄_ij / γ) and exp(ε / γ), with z̄ = (far − z) / (far − near). That is a softmax over
   depth.

The settings choose other distances and aggregations, of those that the package brings.

Source:
    Liu et al., "Soft Rasterizer: A Differentiable Renderer for Image-based 3D Reasoning", ICCV
    2019, section 3.
"""

from taichi_softras.reference.aggregation import aggregate_alpha as aggregate_alpha
from taichi_softras.reference.aggregation import aggregate_colors as aggregate_colors
from taichi_softras.reference.fragments import Fragments as Fragments
from taichi_softras.reference.fragments import find_changes as find_changes
from taichi_softras.reference.fragments import find_fragments as find_fragments
from taichi_softras.reference.fragments import isotropic_scale as isotropic_scale
from taichi_softras.reference.fragments import pixel_centers as pixel_centers
from taichi_softras.reference.images import rasterize as rasterize
from taichi_softras.reference.images import rasterize_silhouette as rasterize_silhouette
from taichi_softras.reference.textures import sample_texture as sample_texture
