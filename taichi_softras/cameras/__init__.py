"""Cameras: from the world to normalised device coordinates (NDC).

A camera is a pose, which takes points from the world to the view frame, and a lens, which takes
them on to NDC: any `Pose` goes with any `Lens`, as in ``PosedCamera(Look(eye, direction),
Orthographic(2.0))``.

Worlds are right-handed, as in OBJ and glTF files; y is usually up. In the view frame x is right, y
up and z forward, so that depth is positive in front of the camera. In NDC x is right and y up, both
from -1 to 1 over the image whatever its shape, and z is still the view depth.

Attributes of poses and lenses are numbers or arrays, which may carry gradients. The first dimension
of an array is the cameras', B or 1; plain numbers may do without, and stand for 1. Plain numbers
are checked; arrays are not looked into: a camera of theirs that breaks a rule, or is not finite,
draws nothing, and adds 0 to the gradients of what items share.
"""

from taichi_softras.cameras.camera import Camera as Camera
from taichi_softras.cameras.camera import LookAtCamera as LookAtCamera
from taichi_softras.cameras.camera import MatrixCamera as MatrixCamera
from taichi_softras.cameras.camera import PosedCamera as PosedCamera
from taichi_softras.cameras.clipping import ClippedFaces as ClippedFaces
from taichi_softras.cameras.clipping import clip_attributes as clip_attributes
from taichi_softras.cameras.clipping import clip_faces as clip_faces
from taichi_softras.cameras.clipping import count_clipped as count_clipped
from taichi_softras.cameras.converters import camera_from_colmap as camera_from_colmap
from taichi_softras.cameras.converters import camera_from_opengl as camera_from_opengl
from taichi_softras.cameras.converters import camera_from_pytorch3d as camera_from_pytorch3d
from taichi_softras.cameras.converters import camera_to_colmap as camera_to_colmap
from taichi_softras.cameras.converters import camera_to_opencv as camera_to_opencv
from taichi_softras.cameras.converters import camera_to_opengl as camera_to_opengl
from taichi_softras.cameras.converters import camera_to_pytorch3d as camera_to_pytorch3d
from taichi_softras.cameras.depths import depth_range as depth_range
from taichi_softras.cameras.intrinsics import Fisheye as Fisheye
from taichi_softras.cameras.intrinsics import Intrinsics as Intrinsics
from taichi_softras.cameras.lenses import Lens as Lens
from taichi_softras.cameras.lenses import Orthographic as Orthographic
from taichi_softras.cameras.lenses import Perspective as Perspective
from taichi_softras.cameras.lenses import perspective as perspective
from taichi_softras.cameras.orbits import orbit_eyes as orbit_eyes
from taichi_softras.cameras.orbits import orbit_ups as orbit_ups
from taichi_softras.cameras.poses import Extrinsics as Extrinsics
from taichi_softras.cameras.poses import Look as Look
from taichi_softras.cameras.poses import LookAt as LookAt
from taichi_softras.cameras.poses import Pose as Pose
from taichi_softras.cameras.projection import project as project
from taichi_softras.cameras.projection import to_view as to_view
from taichi_softras.cameras.projection import view_to_ndc as view_to_ndc
from taichi_softras.cameras.quaternions import quaternion_from_rotation as quaternion_from_rotation
from taichi_softras.cameras.quaternions import rotation_from_quaternion as rotation_from_quaternion
from taichi_softras.cameras.selection import select_cameras as select_cameras
