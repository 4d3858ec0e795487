"""The body: a parametric human, whose joints and proportions are sought, and how it is drawn."""

import contextlib
import sys
from dataclasses import dataclass

import torch

import taichi_softras as sr

FRONT = sr.LookAtCamera(eye=(0, -4, 0), at=(0, 0, -0.08), up=(0, 0, 1), fov_degrees=31)
BACK = sr.LookAtCamera(eye=(-2.6, 3.0, 0.6), at=(0, 0, -0.08), up=(0, 0, 1), fov_degrees=31)
LIGHT = sr.Light(ambient=(0.4,) * 3, diffuse=(0.6,) * 3, direction=(0.6, -1.0, 0.8))
LIGHT_BACK = sr.Light(ambient=(0.4,) * 3, diffuse=(0.6,) * 3, direction=(-1.0, 0.4, 0.8))

JOINTS = (
    *("root", "spine05", "spine03", "spine01", "neck01", "head"),
    *("upperarm01.R", "lowerarm01.R", "wrist.R", "upperarm01.L", "lowerarm01.L", "wrist.L"),
    *("upperleg01.R", "lowerleg01.R", "foot.R", "upperleg01.L", "lowerleg01.L", "foot.L"),
)
PROPORTIONS = ("gender", "muscle", "weight", "height", "proportions")
NEUTRAL = {
    "upperarm01.R": (25.0, 0.0, 0.0),
    "lowerarm01.R": (20.0, 0.0, 0.0),
    "upperarm01.L": (25.0, 0.0, 0.0),
    "lowerarm01.L": (20.0, 0.0, 0.0),
}
"""Rotation vectors in degrees that take the arms beside the trunk, from anny's, before it."""
BEHIND = NEUTRAL | {"upperarm01.R": (38.0, -28.0, -52.0), "lowerarm01.R": (30.0, -80.0, 0.0)}
"""Likewise, with the right forearm behind the trunk."""

CLOTHES = {
    (0.30, 0.30, 0.34): ("root", "pelvis", "spine05", "upperleg", "lowerleg"),
    (0.24, 0.44, 0.72): ("spine", "clavicle", "shoulder", "upperarm"),
    (0.55, 0.22, 0.18): ("foot", "toe"),
}
SKIN = (0.86, 0.62, 0.48)
ARM = ("lowerarm", "wrist", "finger", "metacarpal")


@dataclass(frozen=True)
class Parameters:
    """What is sought.

    Attributes:
        rotations: (B, joints, 3), rotation vectors in radians.
        logits: (B, proportions), of numbers from 0 to 1.
    """

    rotations: torch.Tensor
    logits: torch.Tensor


class Body:
    """anny's human, of which some joints and proportions are sought.

    Attributes:
        faces: (F, 3).
        colors: (1, V, 3), of skin and clothes.
        is_arm: (V,), whether a vertex is of the right forearm or hand.
    """

    def __init__(self) -> None:
        try:
            import anny
            import roma
        except ModuleNotFoundError as error:
            raise SystemExit(
                f"this needs anny, but there is no {error.name}: pip install 'taichi_softras[body]'"
            ) from error
        self._rotvec_to_rotmat = roma.rotvec_to_rotmat
        # Linear blend skinning in PyTorch: the default compiles a Warp kernel first.
        options = {"topology": "notoes_collapse10pc", "skinning_method": "lbs"}
        with contextlib.redirect_stdout(sys.stderr):  # Warp's banner
            self._model = anny.Anny(**options).to(torch.float32)
        labels = self._model.bone_labels
        self._joints = torch.tensor([labels.index(name) for name in JOINTS])
        self.faces = self._model.faces.int()
        strongest = self._model.vertex_bone_weights.argmax(1, keepdim=True)
        bones = self._model.vertex_bone_indices.gather(1, strongest)[:, 0].tolist()
        self.colors = torch.tensor([[color_of(labels[bone]) for bone in bones]])
        self.is_arm = torch.tensor([is_right_arm(labels[bone]) for bone in bones])

    def vertices(self, parameters: Parameters) -> torch.Tensor:
        """Pose bodies, (B, V, 3)."""
        batch = len(parameters.rotations)
        bones = torch.eye(4).repeat(batch, self._model.bone_count, 1, 1)
        bones[:, self._joints, :3, :3] = self._rotvec_to_rotmat(parameters.rotations)
        shares = parameters.logits.sigmoid()
        shape = {name: shares[:, k] for k, name in enumerate(PROPORTIONS)}
        vertices: torch.Tensor = self._model(pose_parameters=bones, phenotype_kwargs=shape)[
            "vertices"
        ]
        return vertices

    def draw(
        self, vertices: torch.Tensor, settings: sr.RasterizerSettings, *, back: bool = False
    ) -> torch.Tensor:
        """Draw bodies from in front or from behind, (B, H, W, 4)."""
        camera, light = (BACK, LIGHT_BACK) if back else (FRONT, LIGHT)
        return sr.render(vertices, self.faces, self.colors, camera, settings, light=light)


def color_of(bone: str) -> tuple[float, float, float]:
    """Choose skin or clothes for what hangs on a bone."""
    return next((color for color, names in CLOTHES.items() if bone.startswith(names)), SKIN)


def is_right_arm(bone: str) -> bool:
    """Tell whether a bone is of the right forearm or hand."""
    return bone.startswith(ARM) and bone.endswith(".R")


def pose(degrees: dict[str, tuple[float, float, float]]) -> torch.Tensor:
    """Write a pose as the rotation vectors of all joints in radians, (joints, 3)."""
    return torch.tensor([degrees.get(joint, (0.0, 0.0, 0.0)) for joint in JOINTS]).deg2rad()


def sharp(height: int, supersampling: int = 3) -> sr.RasterizerSettings:
    """Settings of the pictures: nothing soft but the mean over a pixel."""
    return sr.RasterizerSettings(
        height=height,
        width=height * 3 // 4,
        near=3,
        far=5,
        coverage="hard",
        color="hard",
        supersampling=supersampling,
    )
