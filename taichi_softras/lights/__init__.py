"""Light on vertices and on faces: what lights there are, and how surfaces reflect them.

A point of albedo ``a`` and unit normal ``n`` sends out, in each of red, green and blue,

    a * sum of E_i  +  specular * sum of L_i * max(n . h_i, 0) ** shininess

where ``E_i`` is what light ``i`` gives to a surface that faces as ``n`` does: the colour of an
ambient light; ``L_i * max(n . l_i, 0)`` with the colour ``L_i`` and the direction ``l_i`` of a
directional or point light (Lambert); and the irradiance of an environment, of which the
coefficients of spherical harmonics are given. The second sum is over directional and point lights
with ``n . l_i > 0``; ``h_i`` is the unit bisector of ``l_i`` and the direction of the eye (Blinn
1977). There are no shadows, and results are not clipped to 1.
"""

from taichi_softras.lights.kinds import AmbientLight as AmbientLight
from taichi_softras.lights.kinds import DirectionalLight as DirectionalLight
from taichi_softras.lights.kinds import Light as Light
from taichi_softras.lights.kinds import Lighting as Lighting
from taichi_softras.lights.kinds import PointLight as PointLight
from taichi_softras.lights.kinds import SphericalHarmonicsLight as SphericalHarmonicsLight
from taichi_softras.lights.shading import shade as shade
from taichi_softras.lights.shading import shade_faces as shade_faces
