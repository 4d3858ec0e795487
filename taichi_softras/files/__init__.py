"""Files: meshes read and written, and pictures written."""

from taichi_softras.files.mesh_files import read_mesh as read_mesh
from taichi_softras.files.mesh_files import write_mesh as write_mesh
