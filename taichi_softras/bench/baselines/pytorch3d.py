"""PyTorch3D's soft rasterizer."""

import importlib.util
import math

import torch

from taichi_softras.bench.baselines.comparing import Baseline, FaceBatch, Step, timed_step
from taichi_softras.bench.cases import Case


class PyTorch3D(Baseline):
    """PyTorch3D's rasterizer and softmax blending, of its 50 nearest faces per pixel.

    Its distances and its softmax are those of SoftRas too, but it drops farther faces, and its
    background has another weight: the images agree roughly.
    """

    settings = {"perspective_correct": False, "interpolation": "clipped"}  # noqa: RUF012 - never written to
    faces_per_pixel = 50

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        if importlib.util.find_spec("pytorch3d") is None:
            raise RuntimeError("pytorch3d can't be imported: it isn't installed here")

    def make_step(self, case: Case, inputs: list[FaceBatch], images: list[torch.Tensor]) -> Step:
        """See `Baseline.make_step`."""
        from pytorch3d.ops import interpolate_face_attributes
        from pytorch3d.renderer.blending import BlendParams, sigmoid_alpha_blend, softmax_rgb_blend
        from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
        from pytorch3d.renderer.mesh.rasterizer import Fragments
        from pytorch3d.structures import Meshes

        settings = case.settings(**self.settings)
        blend = BlendParams(
            sigma=settings.sigma, gamma=settings.gamma, background_color=(0.0, 0.0, 0.0)
        )
        mirror = torch.tensor([-1.0, 1.0, 1.0], device=self.device)  # x is left there
        radius = settings.sigma * math.log(1 / settings.coverage_cutoff - 1)

        def function(corners: torch.Tensor, colors: torch.Tensor) -> torch.Tensor:
            num_items, num_faces = corners.shape[:2]
            faces = (
                torch.arange(3 * num_faces, device=corners.device)
                .reshape(1, -1, 3)
                .expand(num_items, -1, -1)
            )
            meshes = Meshes((corners * mirror).flatten(1, 2), faces)
            found = rasterize_meshes(
                meshes, case.size, radius, self.faces_per_pixel, clip_barycentric_coords=True
            )
            fragments = Fragments(
                pix_to_face=found[0], zbuf=found[1], bary_coords=found[2], dists=found[3]
            )
            if case.silhouette:
                image = sigmoid_alpha_blend(
                    torch.ones(*found[0].shape, 3).to(mirror), fragments, blend
                )
                return image[..., 3]  # type: ignore[no-any-return]
            texels = interpolate_face_attributes(found[0], found[2], colors.flatten(0, 1))
            planes = {"znear": settings.near, "zfar": settings.far}
            return softmax_rgb_blend(texels, fragments, blend, **planes)  # type: ignore[no-any-return]

        return timed_step(case, inputs, images, function)
